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
            #expect(refused.status == 503 && refused["retry-after"] == "1")
            first.respond(Response())
            #expect(eventually { second.hold(240_000) } && !second.hold(1))
            // Let go without an answer.
        }
        #expect(try clients.map { try $0.receive().status }.sorted() == [200, 500])
        try test.client().send("GET", "/hold/c")
        let third = try #require(test.held.wait()).responder
        #expect(eventually { third.hold(300_000) })
    }
}
