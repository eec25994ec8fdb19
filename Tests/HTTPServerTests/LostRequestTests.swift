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
}
