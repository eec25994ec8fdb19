import HTTP
import Parallelism
import Testing

@testable import HTTPServer

/// A connection's logic before TLS is agreed on.
struct HandshakeStateTests {
    private let start = Instant(nanoseconds: 1_000)

    private func state() -> ConnectionState {
        ConnectionState(configuration: ServerConfiguration(), isSecure: true, now: start)
    }

    @Test func hasADeadlineOfItsOwnAndThenTheIdleOnes() {
        var state = state()
        #expect(state.wantsToReceive && state.deadline == start.advanced(byNanoseconds: 10_000_000_000))
        let later = start.advanced(byNanoseconds: 9_000_000_000)
        state.handshaken(now: later)
        #expect(state.deadline == later.advanced(byNanoseconds: 75_000_000_000) && state.isIdle)
        var slow = self.state()
        #expect(slow.expire(now: later) == nil)
        #expect(slow.expire(now: start.advanced(byNanoseconds: 10_000_000_000)) == .close)
    }

    @Test func isWaitedForOnceItHasBegun() {
        var state = state()
        #expect(state.isIdle)
        state.hasBegunHandshake = true
        #expect(!state.isIdle)
        #expect(state.receivedEnd() == .close)
    }

    @Test func aFailureIsReadByThePeerBeforeTheEnd() {
        var state = state()
        state.handshakeFailed()
        #expect(state.nextAction(now: start) == .shutdownSending)
        #expect(state.wantsToReceive)
        #expect(state.receivedEnd() == .close)
    }

    @Test func plainTextIsRefused() {
        var state = state()
        #expect(state.receivedPlainText(now: start) == .refuse(.plainText))
        #expect(!state.answer(now: start, isDraining: false).keepsAlive)
        #expect(state.nextAction(now: start) == .shutdownSending)
    }
}
