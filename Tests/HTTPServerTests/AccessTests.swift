import HTTP
import HTTPTypes
import TestSupport
import Testing

@testable import HTTPServer

/// Who is let in, and how early whoever is not gets to know.
struct AccessTests {
    /// Lets in whoever sends `Authorization: me`.
    private static let gate = TestServer.Gate { question in
        if question.access == .open || question.fields[.authorization] == "me" { return .granted(keyName: "mine") }
        let isAdmin = question.access == .admin
        return .refused(
            AccessRefusal(
                status: isAdmin ? .forbidden : .unauthorized, detail: "No \(question.access).",
                fields: [.wwwAuthenticate: "Bearer"]))
    }

    @Test func letsInWhoeverMay() throws {
        let test = try TestServer(gate: Self.gate)
        defer { test.stop() }
        let client = try test.client()
        #expect(try client.exchange("POST", "/admin", fields: [("Authorization", "me")], body: []).text == "mine")
        #expect(try client.exchange("POST", "/open", body: [0x61]).text == "a")
        #expect(try client.exchange("GET", "/hello", fields: [("authorization", "me")]).text == "hello")
    }

    @Test func refusesByTheRoutesClass() throws {
        let test = try TestServer(gate: Self.gate)
        defer { test.stop() }
        let client = try test.client()
        // A body that is there already is nothing to close for.
        for (target, status) in [("/echo", 401), ("/admin", 403)] {
            let response = try client.exchange("POST", target, body: Array("body".utf8))
            #expect(response.status == status && response["www-authenticate"] == "Bearer")
            #expect(response["connection"] == nil && response["content-type"] == "application/problem+json")
            #expect(response.text.contains("\"detail\":\"No "))
            #expect(test.finished.wait()?.route == target)
        }
        #expect(try client.exchange("HEAD", "/hello").status == 401)
        #expect(try client.exchange("OPTIONS", "/hello").status == 204)
        #expect(try client.exchange("GET", "/echo").status == 405)
        #expect(try client.exchange("GET", "/nowhere").status == 404)
    }

    @Test(arguments: ["Content-Length: 1000000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\nf4240\r\n"])
    func refusesBeforeTheBodyIsRead(framing: String) throws {
        let test = try TestServer(gate: Self.gate) { $0.maximumDiscardedBytes = 1000 }
        defer { test.stop() }
        let client = try test.client()
        try client.send("POST /echo HTTP/1.1\r\nHost: a\r\n\(framing)")
        // Not a byte of the body has been sent.
        let response = try client.receive()
        #expect(response.status == 401 && response["connection"] == "close")
        #expect(test.finished.wait()?.route == "/echo")
        // It may be on its way: the answer arrives all the same.
        try client.send([UInt8](repeating: 0, count: 1_000_000))
        client.finishSending()
        #expect(try client.receivesEnd())
    }

    @Test func keepsTheConnectionWhereLittleIsToCome() throws {
        let test = try TestServer(gate: Self.gate)
        defer { test.stop() }
        let client = try test.client()
        try client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n")
        #expect(try client.receive().status == 401)
        try client.send("body")
        #expect(try client.exchange("GET", "/hello", fields: [("Authorization", "me")]).text == "hello")
    }

    @Test func refusesInsteadOf100() throws {
        let test = try TestServer(gate: Self.gate)
        defer { test.stop() }
        let client = try test.client()
        try client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        #expect(try client.receive().status == 401)
        #expect(try client.receivesEnd())
        let known = try test.client()
        try known.send(
            "POST /echo HTTP/1.1\r\nHost: a\r\nAuthorization: me\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        #expect(try known.receive().status == 100)
        try known.send("hi")
        #expect(try known.receive().text == "hi")
    }

    @Test func refusesAPipelinedRequestInItsTurn() throws {
        let test = try TestServer(gate: Self.gate) { $0.maximumDiscardedBytes = 1000 }
        defer { test.stop() }
        let client = try test.client()
        try client.send(
            "GET /hello HTTP/1.1\r\nHost: a\r\nAuthorization: me\r\n\r\n"
                + "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\npart")
        #expect(try client.receive().text == "hello")
        #expect(try client.receive().status == 401)
        #expect(try client.receivesEnd())
    }

    @Test func readsALongBodyOfWhoeverMay() throws {
        let test = try TestServer(gate: Self.gate)
        defer { test.stop() }
        let client = try test.client()
        let body = [UInt8](repeating: 0x61, count: 700_000)
        for _ in 0..<2 {
            #expect(try client.exchange("POST", "/echo", fields: [("Authorization", "me")], body: body).body == body)
        }
    }
}

struct CrossOriginTests {
    private static let some = CrossOriginPolicy(
        allowed: ["https://a.example", "http://b.example:8080"], requestFields: ["Authorization", "Content-Type"],
        exposedFields: ["X-Request-Id"])
    private static let all = CrossOriginPolicy(allowed: ["*"], requestFields: ["Authorization"], exposedFields: ["X"])

    private func origin(_ text: String) -> [(name: String, value: String)] { [("Origin", text)] }

    @Test func namesAllowedOriginsInEveryAnswer() throws {
        let test = try TestServer(crossOrigin: Self.some)
        defer { test.stop() }
        let client = try test.client()
        for (method, target) in [("GET", "/hello"), ("GET", "/nowhere"), ("POST", "/hello"), ("GET", "/%zz")] {
            for allowed in ["https://a.example", "http://b.example:8080"] {
                let response = try client.exchange(method, target, fields: origin(allowed))
                #expect(response["access-control-allow-origin"] == allowed && response["vary"] == "Origin")
                #expect(response["access-control-expose-headers"] == "X-Request-Id")
                #expect(response["access-control-allow-credentials"] == nil)
            }
        }
        try client.send(
            "POST /echo HTTP/1.1\r\nHost: a\r\nOrigin: https://a.example\r\nContent-Length: 9999999\r\n\r\n")
        let refused = try client.receive()
        #expect(refused.status == 413 && refused["access-control-allow-origin"] == "https://a.example")
    }

    @Test(arguments: ["https://a.example.evil", "http://a.example", "https://a.example:443", "null", ""])
    func namesNoOtherOrigin(text: String) throws {
        let test = try TestServer(crossOrigin: Self.some)
        defer { test.stop() }
        let client = try test.client()
        let response = try client.exchange("GET", "/hello", fields: origin(text))
        #expect(response.status == 200 && response["access-control-allow-origin"] == nil)
        // A cache must know that the answer depends on it.
        #expect(response["vary"] == "Origin")
        let preflight = try client.exchange(
            "OPTIONS", "/echo", fields: origin(text) + [("Access-Control-Request-Method", "POST")])
        #expect(preflight.status == 204 && preflight["access-control-allow-methods"] == nil)
    }

    @Test func answersPreflights() throws {
        let refusesAll = TestServer.Gate { _ in .refused(AccessRefusal(status: .unauthorized, detail: "")) }
        let test = try TestServer(gate: refusesAll, crossOrigin: Self.some)
        defer { test.stop() }
        let client = try test.client()
        let fields = origin("https://a.example")
        let response = try client.exchange(
            "OPTIONS", "/echo",
            fields: fields + [
                ("Access-Control-Request-Method", "POST"), ("Access-Control-Request-Headers", "authorization"),
            ])
        #expect(response.status == 204 && response["access-control-allow-origin"] == "https://a.example")
        #expect(response["access-control-allow-methods"] == "OPTIONS, POST")
        #expect(response["access-control-allow-headers"] == "Authorization, Content-Type")
        #expect(response["access-control-max-age"] == "7200" && response["vary"] == "Origin")
        // OPTIONS that is no preflight.
        #expect(try client.exchange("OPTIONS", "/echo", fields: fields)["access-control-allow-methods"] == nil)
        // The refusal can be read by the page.
        let refusal = try client.exchange("POST", "/echo", fields: fields, body: [])
        #expect(refusal.status == 401 && refusal["access-control-allow-origin"] == "https://a.example")
    }

    @Test func allowsAllWithAStar() throws {
        let test = try TestServer(crossOrigin: Self.all)
        defer { test.stop() }
        let response = try test.client().exchange("GET", "/hello", fields: origin("https://any.example"))
        #expect(response["access-control-allow-origin"] == "*" && response["vary"] == nil)
    }

    @Test func saysNothingUnlessAsked() throws {
        let test = try TestServer()
        defer { test.stop() }
        let response = try test.client().exchange("GET", "/hello", fields: origin("https://a.example"))
        #expect(response["access-control-allow-origin"] == nil && response["vary"] == nil)
    }

    @Test(
        arguments: [
            ("*", true), ("https://a.example", true), ("http://127.0.0.1:80", true), ("app://x", true),
            ("http://[::1]:8080", true), ("https://a.example/", false), ("a.example", false), ("://a", false),
            ("https://", false), ("https://A.example", false), ("https://a b", false), ("https://*.a", false),
        ])
    func knowsAnOrigin(text: String, isOrigin: Bool) { #expect(CrossOriginPolicy.isOrigin(text) == isOrigin) }
}

struct ListenerTests {
    /// Two addresses, each with its own routes, loops shared; a drain waits for both.
    @Test func listensOnSeveralAddresses() throws {
        let held = Signal<Responder>()
        func router(_ name: String) -> Router {
            var router = Router()
            router.add(.get, "/name") { _, responder in
                responder.respond(Response(contentType: "t/p", body: Array(name.utf8)))
            }
            router.add(.get, "/hold-\(name)") { _, responder in held.send(responder) }
            return router
        }
        let server = Server(
            configuration: ServerConfiguration(),
            listeners: ["one", "two"].map {
                Listener(host: "127.0.0.1", port: 0, router: router($0), maximumConnections: 1)
            })
        try server.start()
        let ports = server.addresses.map(\.port)
        #expect(ports.count == 2 && ports[0] != ports[1])
        let clients = try ports.map { try RawClient(port: $0) }
        #expect(try clients.map { try $0.exchange("GET", "/name").text } == ["one", "two"])
        #expect(try clients[0].exchange("GET", "/hold-two").status == 404)
        try clients[1].send("GET", "/hold-two")
        let responder = try #require(held.wait())
        // The one's limit is not the other's: its next client waits for the first one to leave.
        let done = Signal<DrainReport>()
        server.finishDrain { done.send($0) }
        for port in ports { while (try? RawClient(port: port)) != nil {} }
        responder.respond(Response(contentType: "t/p", body: Array("held".utf8)))
        let last = try clients[1].receive()
        #expect(last.text == "held" && last["connection"] == "close")
        #expect(try clients[0].receivesEnd())
        #expect(try #require(done.wait()).inFlight == 1)
        #expect(server.addresses.isEmpty)
    }

    @Test func anAddressThatIsTakenIsNamed() throws {
        let test = try TestServer()
        defer { test.stop() }
        let server = Server(
            configuration: ServerConfiguration(),
            listeners: [0, test.port].map {
                Listener(host: "127.0.0.1", port: $0, router: Router(), maximumConnections: 1)
            })
        let error = #expect(throws: ListenError.self) { try server.start() }
        #expect(error?.port == test.port && error?.reason.operation == .bind)
    }
}
