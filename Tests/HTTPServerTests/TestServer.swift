import Dispatch
import HTTP
import HTTPTypes
import Logging
import Parallelism
import TestSupport
import Transport

@testable import HTTPServer

/// A server on a free port, with routes for every kind of handler, and what it was seen to do.
final class TestServer: Sendable {
    let server: Server
    let port: Int
    /// Requests to `/hold`, which are answered only by the test.
    let held = Signal<(request: Request, responder: Responder)>()
    let cancelled = Signal<String>()
    let finished = Signal<RequestRecord>()
    let rejected = Signal<ServerRejection>()
    let closed = Signal<Void>()
    let handshakes = Signal<HandshakeResult>()

    /// Who is let in.
    struct Gate: Sendable {
        var decide: Authorizer
    }

    init(
        clock: any Clock = MonotonicClock(), calls: SystemCalls = .kernel, tls: TLSCredentials? = nil,
        gate: Gate? = nil, crossOrigin: CrossOriginPolicy? = nil, trustedProxies: TrustedProxies = TrustedProxies(),
        _ change: (inout ServerConfiguration) -> Void = { _ in }
    ) throws {
        var configuration = ServerConfiguration()
        configuration.host = "127.0.0.1"
        configuration.port = 0
        configuration.parser.maximumBodyBytes = 1 << 20
        change(&configuration)
        var router = Router()
        router.add(.get, "/hello") { _, responder in
            responder.respond(Response(contentType: "text/plain", body: Array("hello".utf8)))
        }
        router.add(.post, "/echo") { request, responder in
            responder.respond(
                Response(
                    contentType: "application/octet-stream", body: request.body,
                    stages: [Stage(name: "compute", seconds: 0.5)]))
        }
        router.add(
            .post, "/full", admission: { _ in .refused(Response(status: .serviceUnavailable)) },
            handler: { _, responder in responder.respond(Response()) })
        router.add(.get, "/models/{name}") { request, responder in
            let text = "\(request.parameters["name"] ?? "-") \(request.queryValue("q") ?? "-")"
            responder.respond(Response(contentType: "text/plain", body: Array(text.utf8)))
        }
        let tellClient: Handler = { request, responder in
            let text = "\(request.origin.client) \(request.origin.isProxied ? "proxied" : "direct")"
            responder.respond(Response(contentType: "text/plain", body: Array(text.utf8)))
        }
        router.add(.get, "/client", handler: tellClient)
        router.add(.post, "/client", handler: tellClient)
        router.add(.get, "/drop") { _, _ in }
        router.add(.post, "/open", access: .open) { request, responder in
            responder.respond(Response(contentType: "x/y", body: request.body))
        }
        router.add(.post, "/admin", access: .admin) { request, responder in
            responder.respond(Response(contentType: "t/p", body: Array((request.keyName ?? "-").utf8)))
        }
        router.add(.get, "/large") { _, responder in
            responder.respond(Response(contentType: "x/y", body: [UInt8](repeating: 0x61, count: 4 << 20)))
        }
        let (held, cancelled) = (held, cancelled)
        router.add(.get, "/hold/{name}", label: "hold", maximumBodyBytes: .max) { request, responder in
            responder.onCancel { cancelled.send(request.path) }
            held.send((request, responder))
        }
        var observer = ServerObserver()
        let (finished, rejected, closed, handshakes) = (finished, rejected, closed, handshakes)
        observer.handshakeFinished = { handshakes.send($0) }
        observer.requestFinished = { record, _ in finished.send(record) }
        observer.rejected = { rejected.send($0) }
        observer.connectionClosed = { closed.send(()) }
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        server = Server(
            configuration: configuration,
            listeners: [
                Listener(
                    host: configuration.host, port: configuration.port, router: router, tls: tls,
                    authorizer: gate?.decide, crossOrigin: crossOrigin, trustedProxies: trustedProxies,
                    maximumConnections: configuration.maximumConnections)
            ], clock: clock, observer: observer, logger: logger)
        port = try server.start(calls: calls).port
    }

    func client() throws -> RawClient { try RawClient(port: port) }

    /// Drains, and waits until that is done.
    @discardableResult
    func stop() -> DrainReport? {
        let done = Signal<DrainReport>()
        server.finishDrain { done.send($0) }
        return done.wait()
    }
}
