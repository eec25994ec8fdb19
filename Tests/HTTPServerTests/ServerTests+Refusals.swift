import TestSupport
import Testing

@testable import HTTPServer

/// What is refused, and what becomes of the connection then.
extension ServerTests {
    @Test(
        arguments: [
            ("GET /nowhere", 404, "Not Found", nil), ("POST /hello", 405, "Method Not Allowed", "GET, HEAD, OPTIONS"),
            ("TRACE /hello", 405, "Method Not Allowed", "GET, HEAD, OPTIONS"),
            ("QUERY /hello", 405, "Method Not Allowed", "GET, HEAD, OPTIONS"),
            ("BREW /hello", 501, "Not Implemented", nil), ("CONNECT a:1", 501, "Not Implemented", nil),
            ("GET /models/", 404, "Not Found", nil), ("GET /%zz", 400, "Bad Request", nil),
            ("GET /hello/", 404, "Not Found", nil),
        ] as [(String, Int, String, String?)])
    func answersWhatItHasNotWithAProblem(line: String, status: Int, title: String, allow: String?) throws {
        let test = try TestServer()
        defer { test.stop() }
        let client = try test.client()
        try client.send("\(line) HTTP/1.1\r\nHost: a\r\nX-Request-Id: id\r\n\r\n")
        let response = try client.receive()
        #expect(response.status == status)
        #expect(response["allow"] == allow)
        #expect(response["content-type"] == "application/problem+json")
        #expect(
            response.text.hasPrefix(
                "{\"type\":\"about:blank\",\"title\":\"\(title)\",\"status\":\(status),\"detail\":\"")
                && response.text.hasSuffix(",\"request_id\":\"id\"}"))
        try client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try client.receive().status == 200)
    }

    @Test func refusesALongBodyBeforeItIsRead() throws {
        let test = try TestServer()
        defer { test.stop() }
        let client = try test.client()
        // The body is sent in full although nobody reads it: the refusal must arrive all the same.
        try client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 8388608\r\n\r\n")
        try client.send([UInt8](repeating: 0, count: 8 << 20))
        let response = try client.receive()
        #expect(response.status == 413)
        #expect(response["connection"] == "close")
        client.finishSending()
        #expect(try client.receivesEnd())
        #expect(test.rejected.wait() == .malformed(.bodyTooLarge(maximum: 1 << 20)))
    }

    @Test func boundsTheBodiesOfAllConnectionsTogether() throws {
        let test = try TestServer { $0.maximumHeldBytes = 300_000 }
        defer { test.stop() }
        let half = [UInt8](repeating: 1, count: 200_000)
        let first = try test.client()
        try first.send("GET /hold/a HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n")
        try first.send(half)
        let held = try #require(test.held.wait())
        // While the first one is being answered there is no room for a second one, however it is framed.
        for framing in ["Content-Length: 200000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n30d40\r\n"] {
            let second = try test.client()
            try second.send("POST /echo HTTP/1.1\r\nHost: a\r\n\(framing)")
            try second.send(half)
            let refused = try second.receive()
            #expect(refused.status == 503 && refused["retry-after"] == "1")
            #expect(refused["connection"] == "close")
            #expect(test.rejected.wait() == .tooManyBytesHeld(maximum: 300_000))
        }
        held.responder.respond(Response())
        #expect(try first.receive().status == 200)
        try first.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n")
        try first.send(half)
        #expect(try first.receive().body == half)
    }

    @Test func closesWhoPipelinesWhereThereIsNoRoom() throws {
        let test = try TestServer { $0.maximumHeldBytes = 80_000 }
        defer { test.stop() }
        let requests =
            "GET /hold/a HTTP/1.1\r\nHost: a\r\n\r\n"
            + String(
                repeating: "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", count: 1600)
        let first = try test.client()
        try first.send(requests)
        let second = try test.client()
        try? second.send(requests)
        let held = try #require(test.held.wait())
        // There is room for one of them. The other is closed, whether its first request has got to its handler or not.
        #expect(test.closed.wait() != nil)
        held.responder.respond(Response())
        withExtendedLifetime((first, second)) {}
    }

    @Test func answersAMalformedRequestAndCloses() throws {
        let test = try TestServer()
        defer { test.stop() }
        let client = try test.client()
        try client.send(
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /hello")
        let response = try client.receive()
        #expect(response.status == 400)
        #expect(response.text.contains("Both Content-Length and Transfer-Encoding."))
        client.finishSending()
        #expect(try client.receivesEnd())
    }

    @Test(
        arguments: [
            (
                "POST /echo HTTP/1.1\r\nHost: a\r\nX-Request-Id: known\r\nContent-Length: 9999999\r\n\r\n", "/echo",
                "known"
            ),
            ("GET /models/x?q=1 HTTP/1.1\r\nX-Request-Id: known\r\n\r\n", "/models/{name}", "known"),
            ("GET /nowhere HTTP/1.1\r\nX-Request-Id: known\r\n\r\n", "unmatched", "known"),
            ("GET /hello HTTP/1.1\r\nHost : a\r\nX-Request-Id: unread\r\n\r\n", "/hello", nil),
            ("nonsense\r\n\r\n", "unmatched", nil),
        ] as [(String, String, String?)])
    func tellsOfARefusedRequestWhatItHasRead(request: String, label: String, id: String?) throws {
        let test = try TestServer()
        defer { test.stop() }
        let client = try test.client()
        try client.send("GET /large HTTP/1.1\r\nHost: a\r\nX-Request-Id: earlier\r\n\r\n")
        #expect(try client.receive().status == 200)
        #expect(test.finished.wait()?.route == "/large")
        try client.send(request)
        let response = try client.receive()
        #expect((400...499).contains(response.status))
        #expect(response["x-request-id"].map { $0 == id || (id == nil && $0 != "unread" && $0 != "earlier") } == true)
        #expect(test.finished.wait()?.route == label)
    }
}
