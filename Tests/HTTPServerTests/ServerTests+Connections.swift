import HTTP
import HTTPTypes
import TestSupport
import Testing

@testable import HTTPServer

/// Clients that leave, that say nothing, and that are too many.
extension ServerTests {
    @Test func tellsTheHandlerThatItsClientIsGone() throws {
        let test = try TestServer()
        defer { test.stop() }
        do {
            let client = try test.client()
            try client.send("GET /hold/gone HTTP/1.1\r\nHost: a\r\n\r\n")
            let held = try #require(test.held.wait())
            #expect(!held.responder.isCancelled)
            client.finishSending()
            #expect(test.cancelled.wait() == "/hold/gone")
            #expect(held.responder.isCancelled)
            #expect(test.rejected.wait() == .disconnected)
            held.responder.respond(Response(status: .serviceUnavailable))
        }
        #expect(test.closed.wait() != nil)
    }

    /// Work that is cancelled may let its request go: that is no error, and nobody waits for an answer.
    @Test(arguments: [false, true]) func aHandlerMayForgetAClientThatIsGone(leavesHalf: Bool) throws {
        let test = try TestServer()
        defer { test.stop() }
        var client: RawClient? = try test.client()
        try client?.send("GET /hold/gone HTTP/1.1\r\nHost: a\r\n\r\n")
        var held = test.held.wait()
        if leavesHalf { client?.finishSending() } else { client = nil }
        #expect(test.cancelled.wait() == "/hold/gone")
        #expect(test.rejected.wait() == .disconnected)
        #expect(held?.responder.isCancelled == true)
        held = nil
        #expect(test.finished.wait()?.status == 499)
        #expect(try client?.receivesEnd() != false)
    }

    enum Ending: CaseIterable { case reset, closed, halfClosed }

    /// A client that is cut off while it sends has left, as one that waits for its answer has, whichever way its end
    /// comes. One that still reads is told.
    @Test(arguments: Ending.allCases) func countsWhoLeavesInTheMiddleOfARequest(by ending: Ending) throws {
        let test = try TestServer()
        defer { test.stop() }
        do {
            let client = try test.client()
            if ending == .reset { client.resetAtEnd() }
            try client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n")
            #expect(try client.receive().status == 100)
            // A reset may destroy what has not been read.
            if ending != .reset { try client.send("abcd") }
            if ending == .halfClosed {
                client.finishSending()
                let answer = try client.receive()
                #expect(answer.status == 400 && answer["connection"] == "close")
                #expect(answer.text.contains("The connection ended before the request was complete."))
                #expect(try client.receivesEnd())
            }
        }
        #expect(test.rejected.wait() == .disconnected)
        let record = try #require(test.finished.wait())
        #expect(record.status == 499 && record.reason == "disconnected" && record.route == "/echo")
        #expect(record.bodyBytes == (ending == .reset ? 0 : 4))
        #expect(test.closed.wait() != nil)
    }

    @Test func slowHeadersTimeOutAndIdleConnectionsClose() throws {
        let clock = ManualClock()
        let test = try TestServer(clock: clock)
        defer { test.stop() }
        let slow = try test.client()
        let idle = try test.client()
        try idle.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try idle.receive().status == 200)
        try slow.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\nGET /")
        #expect(try slow.receive().status == 200)
        clock.advance(seconds: 11)
        test.server.expire()
        #expect(try slow.receive().status == 408)
        clock.advance(seconds: 65)
        test.server.expire()
        #expect(try idle.receivesEnd())
        #expect(try slow.receivesEnd())
    }

    /// Whoever takes all connections and says nothing keeps nobody out.
    @Test func theLongestIdleConnectionMakesRoom() throws {
        let clock = ManualClock()
        let test = try TestServer(clock: clock) { $0.maximumConnections = 2 }
        defer { test.stop() }
        let oldest = try test.client()
        try oldest.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try oldest.receive().status == 200)
        clock.advance(seconds: 1)
        let busy = try test.client()
        try busy.send("GET /hold/1 HTTP/1.1\r\nHost: a\r\n\r\n")
        let held = try #require(test.held.wait())
        let newcomer = try test.client()
        try newcomer.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try newcomer.receive().status == 200)
        #expect(try oldest.receivesEnd())
        held.responder.respond(Response())
        #expect(try busy.receive().status == 200)
    }

    @Test func acceptsAgainAfterTheConnectionLimit() throws {
        let test = try TestServer { $0.maximumConnections = 1 }
        defer { test.stop() }
        var first: RawClient? = try test.client()
        try first?.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try first?.receive().status == 200)
        let second = try test.client()
        try second.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
        first = nil
        #expect(try second.receive().status == 200)
    }
}
