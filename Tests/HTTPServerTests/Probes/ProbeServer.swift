import HTTP
import HTTPTypes
import Logging
import Parallelism
import TestSupport
import Transport

@testable import HTTPServer

/// What servers have been sent, and what they have answered.
final class ProbeRecord: Sendable {
    struct Content: Sendable, Equatable {
        /// `METHOD path [body]` of every request that a handler has seen, in order.
        var seen: [String] = []
        /// The statuses of all answers.
        var statuses: [Int] = []
    }

    private let content = Lock(Content())
    private let connections = Lock(0)

    var connectionCount: Int { connections.withLock { $0 } }

    func noteSeen(_ text: String) { content.withLock { $0.seen.append(text) } }
    func noteAnswer(_ status: Int) { content.withLock { $0.statuses.append(status) } }
    func noteConnection() { connections.withLock { $0 += 1 } }

    /// What there is since the last call.
    func take() -> Content {
        content.withLock { content in
            defer { content = Content() }
            return content
        }
    }
}

/// A server whose routes answer with what they were sent.
final class ProbeServer: Sendable {
    let port: Int
    private let server: Server

    /// - Parameters:
    ///   - readBytes: how many bytes the server reads at a time, however many have arrived.
    ///   - missesLengths: makes a bad server of it, which reads no body whose length is declared.
    init(readBytes: Int = .max, missesLengths: Bool = false, record: ProbeRecord = ProbeRecord()) throws {
        var configuration = ServerConfiguration()
        configuration.host = "127.0.0.1"
        configuration.port = 0
        configuration.parser.maximumBodyBytes = 1 << 20
        var router = Router()
        for path in ["/p", "/after", "/hidden", "/other/{name}"] {
            for method in [HTTPRequest.Method.get, .post] {
                router.add(method, path, maximumBodyBytes: .max) { request, responder in
                    let text = Self.describe(request.method, request.path, request.body)
                    record.noteSeen(text)
                    responder.respond(Response(contentType: "text/plain", body: Array(text.utf8)))
                }
            }
        }
        var observer = ServerObserver()
        observer.connectionOpened = { record.noteConnection() }
        observer.requestFinished = { answer, _ in record.noteAnswer(answer.status) }
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        server = Server(configuration: configuration, router: router, observer: observer, logger: logger)
        var calls = SystemCalls.kernel
        calls.receive = { descriptor, buffer in
            let count = SystemCalls.kernel.receive(
                descriptor, UnsafeMutableRawBufferPointer(rebasing: buffer.prefix(readBytes)))
            if missesLengths, count > 0 {
                let name = Array("content-length:".utf8)
                // HAProxy writes names in lower case.
                for start in 0..<count where buffer[start..<count].starts(with: name, by: { $0 | 0x20 == $1 | 0x20 }) {
                    buffer[start + 7] = UInt8(ascii: "_")
                }
            }
            return count
        }
        port = try server.start(calls: calls).port
    }

    static func describe(_ method: HTTPRequest.Method, _ path: String, _ body: [UInt8]) -> String {
        "\(method) \(path) [\(String(decoding: body, as: UTF8.self))]"
    }

    /// Drains, and waits until that is done.
    func stop() {
        let done = Signal<Void>()
        server.finishDrain { _ in done.send(()) }
        _ = done.wait()
    }
}

/// An answer as a probe's client sees it.
struct ProbeAnswer: Equatable {
    /// As `Probe.answers` has it.
    var text: String
    /// Whether it is the server's own, and not that of a proxy before it.
    var isServers: Bool
}

extension RawClient {
    /// All answers until the connection's end, interim ones left out; `expected` tells which is one to HEAD.
    func receiveAnswers(expected: [String]) throws -> [ProbeAnswer] {
        var answers: [ProbeAnswer] = []
        while try !receivesEnd() {
            let isToHead = answers.count < expected.count && expected[answers.count] == "HEAD"
            let answer: RawResponse
            do { answer = try receive(toHead: isToHead) } catch RawClientError.endOfStream(let text) {
                // Without a head: what a proxy answers to HTTP/0.9.
                return answers + [ProbeAnswer(text: text, isServers: true)]
            }
            if (100...199).contains(answer.status) { continue }
            let unknown = answer.fields.map(\.name).filter { !Self.knownFields.contains($0) }
            guard unknown.isEmpty else { throw RawClientError.malformed("fields that nobody has set: \(unknown)") }
            let text = answer.status == 200 ? (isToHead ? "HEAD" : answer.text) : String(answer.status)
            answers.append(ProbeAnswer(text: text, isServers: answer["x-request-id"] != nil))
        }
        return answers
    }

    /// Whatever an attacker puts into a request, no other field comes back.
    private static let knownFields: Set<String> = [
        "date", "content-length", "content-type", "connection", "x-request-id", "server-timing", "allow",
        // What the proxies add.
        "server", "cache-control", "transfer-encoding", "keep-alive",
    ]
}
