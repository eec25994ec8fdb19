import TestSupport
import Testing

@testable import HTTPServer

/// A drain whose time is over.
struct LostRequestTests {
    /// Before the process ends: one that a handler has, one that is being read; one that is answered later is told of once.
    @Test func tellsTheRecordsOfRequestsThatADrainHasNotComeToAnswer() throws {
        let test = try TestServer()
        let (held, half, idle) = (try test.client(), try test.client(), try test.client())
        #expect(try idle.exchange("GET", "/hello").status == 200)
        #expect(test.finished.wait()?.status == 200)
        try held.send("GET", "/hold/a")
        let request = try #require(test.held.wait())
        try half.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n")
        #expect(try half.receive().status == 100)
        let (drained, told) = (Signal<DrainReport>(), Signal<Int>())
        test.server.finishDrain { drained.send($0) }
        test.server.loseRequests { told.send($0) }
        #expect(told.wait() == 2)
        let records = try [#require(test.finished.wait()), #require(test.finished.wait())]
        #expect(Set(records.map(\.route)) == ["hold", "/echo"])
        #expect(records.allSatisfy { $0.status == 499 && $0.reason == "drain_timeout" })
        #expect(test.rejected.wait() == .drainTimeout && test.rejected.wait() == .drainTimeout)
        withExtendedLifetime(request) {}
    }

    /// Those that wait behind another on its connection, and one that has come in part.
    @Test func tellsTheRecordsOfWhatWaitsBehindAnotherRequest() throws {
        let test = try TestServer()
        let client = try test.client()
        try client.send(
            "GET /hold/a HTTP/1.1\r\nHost: a\r\n\r\n"
                + "POST /echo HTTP/1.1\r\nHost: a\r\nX-Request-Id: whole\r\nContent-Length: 3\r\n\r\nabc"
                + "GET /models/x HTTP/1.1\r\nHost: a\r\nX-Request-Id: part\r\nAcc")
        let held = try #require(test.held.wait())
        let told = Signal<Int>()
        test.server.finishDrain { _ in }
        test.server.loseRequests { told.send($0) }
        #expect(told.wait() == 3)
        let records = try (0..<3).map { _ in try #require(test.finished.wait()) }
        #expect(records.map(\.route) == ["hold", "/echo", "/models/{name}"])
        #expect(records[1].requestID == "whole" && records[1].bodyBytes == 3 && records[2].requestID == "part")
        #expect(records.allSatisfy { $0.status == 499 && $0.reason == "drain_timeout" })
        // Nobody is answered after that.
        held.responder.respond(Response())
        #expect(try client.receivesEnd())
    }

    /// Though its last connection closes by that.
    @Test func aDrainThatLosesRequestsHasNotEnded() throws {
        let test = try TestServer()
        let client = try test.client()
        try client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n")
        #expect(try client.receive().status == 100)
        let (drained, told) = (Signal<DrainReport>(), Signal<Int>())
        test.server.finishDrain { drained.send($0) }
        // Nobody listens any more: the loops are about to look at what is left.
        while (try? test.client()) != nil {}
        let probe = Signal<Int>()
        test.server.loseRequests { told.send($0) }
        #expect(told.wait() == 1)
        // What each loop had to do before is done.
        test.server.loseRequests { probe.send($0) }
        #expect(probe.wait() == 0 && !drained.hasCome)
    }
}
