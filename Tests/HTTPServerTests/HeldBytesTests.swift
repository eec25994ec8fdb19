import HTTP
import TestSupport
import Testing

@testable import HTTPServer

struct HeldBytesTests {
    @Test func whatAnsweringTakesIsCountedUntilThereIsAnAnswer() throws {
        let test = try TestServer { $0.maximumHeldBytes = 300_000 }
        defer { test.stop() }
        let clients = try ["/hold/a", "/hold/b"].map { path in
            let client = try test.client()
            try client.send("GET", path)
            return client
        }
        do {
            let first = try #require(test.held.wait()).responder
            let second = try #require(test.held.wait()).responder
            #expect(first.hold(0) && first.hold(180_000) && first.hold(60_000))
            #expect(!second.hold(60_001) && !second.hold(300_001) && !second.hold(.max))
            #expect(second.hold(60_000) && !first.hold(1))
            // A body of another request has no room either.
            let refused = try test.client().exchange("POST", "/echo", body: [UInt8](repeating: 1, count: 200_000))
            #expect(refused.status == 503 && refused["retry-after"] == "1" && refused["retry-after-ms"] == "1000")
            #expect(test.finished.wait()?.reason == "held_bytes")
            first.respond(Response())
            #expect(eventually { second.hold(240_000) } && !second.hold(1))
            // Let go without an answer.
        }
        #expect(try clients.map { try $0.receive().status }.sorted() == [200, 500])
        try test.client().send("GET", "/hold/c")
        let third = try #require(test.held.wait()).responder
        #expect(eventually { third.hold(300_000) })
    }

    /// Nobody need try again what could never be held.
    @Test func aRequestThatIsTooMuchAloneIsTooLarge() throws {
        let test = try TestServer { $0.maximumHeldBytes = 300_000 }
        defer { test.stop() }
        for framing in ["Content-Length: 300001\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n493e1\r\n"] {
            let client = try test.client()
            try client.send("POST /echo HTTP/1.1\r\nHost: a\r\n\(framing)")
            let refused = try client.receive()
            #expect(refused.status == 413 && refused["retry-after"] == nil && refused.text.contains("300000 bytes"))
            #expect(test.rejected.wait() == .malformed(.bodyTooLarge(maximum: 300_000)))
        }
    }

    /// Memory comes in larger pieces than bodies: those that may just be held are, however they come.
    @Test(arguments: [nil, 300_000, 4096, 1] as [Int?]) func aBodyOfExactlyTheLimitIsRead(chunk: Int?) throws {
        let test = try TestServer { $0.maximumHeldBytes = 300_000 }
        defer { test.stop() }
        let body = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let client = try test.client()
        let framing = chunk == nil ? "Content-Length: 300000" : "Transfer-Encoding: chunked"
        try client.send("POST /echo HTTP/1.1\r\nHost: a\r\n\(framing)\r\n\r\n")
        if let chunk {
            var bytes: [UInt8] = []
            for start in stride(from: 0, to: body.count, by: chunk) {
                let data = body[start..<min(body.count, start + chunk)]
                bytes += Array("\(String(data.count, radix: 16))\r\n".utf8) + data + Array("\r\n".utf8)
            }
            try client.send(bytes + Array("0\r\n\r\n".utf8), pieceBytes: 70_000)
        } else {
            try client.send(body, pieceBytes: 70_000)
        }
        #expect(try client.receive().body == body)
    }

    @Test func tellsWhatCouldBeHeldIfNobodyElseHeldAnything() throws {
        let test = try TestServer { $0.maximumHeldBytes = 300_000 }
        defer { test.stop() }
        let clients = [try test.client(), try test.client()]
        try clients[0].send("GET", "/hold/a", body: [UInt8](repeating: 1, count: 100_000))
        let first = try #require(test.held.wait()).responder
        try clients[1].send("GET", "/hold/b")
        let second = try #require(test.held.wait()).responder
        #expect(first.hold(150_000))
        #expect(!second.hold(100_000) && second.couldHold(100_000) && second.couldHold(300_000))
        #expect(!second.couldHold(300_001) && !second.couldHold(.max))
        // Its body and what it holds already count.
        #expect(first.couldHold(40_000) && !first.couldHold(60_000))
    }
}
