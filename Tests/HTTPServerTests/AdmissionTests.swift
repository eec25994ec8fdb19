import HTTP
import HTTPTypes
import Parallelism
import TestSupport
import Testing

@testable import HTTPServer

/// Requests that are refused when their head has been read.
struct AdmissionTests {
    private func state(_ change: (inout ServerConfiguration) -> Void = { _ in }) -> ConnectionState {
        var configuration = ServerConfiguration()
        change(&configuration)
        return ConnectionState(configuration: configuration, now: Instant(nanoseconds: 0))
    }

    private let refuses: ConnectionState.Admits = { head, _ in head.target != "/full" }
    private let head = "POST /full HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"
    private let get = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n"

    private func receive(
        _ text: String, _ state: inout ConnectionState, seconds: Int64 = 0
    ) -> ConnectionAction? {
        Array(text.utf8).withUnsafeBufferPointer {
            state.received($0, now: Instant(nanoseconds: seconds * 1_000_000_000), admits: refuses)
        }
    }

    private func target(_ action: ConnectionAction?) -> String? {
        switch action {
        case .turnAway(let head): "turned away \(head.target)"
        case .dispatch(let request): request.head.target
        default: nil
        }
    }

    /// However the bytes are cut, the body is dropped and the next request is read.
    @Test(arguments: 0...120) func keepsTheConnectionAndDropsTheBody(cut: Int) {
        var state = state()
        let all = Array((head + "0123456789" + get).utf8)
        var seen: [String] = []
        for piece in [all[..<min(cut, all.count)], all[min(cut, all.count)...]] where !piece.isEmpty {
            var action =
                receive(String(decoding: piece, as: UTF8.self), &state)
                ?? state.nextAction(now: Instant(nanoseconds: 0), admits: refuses)
            while let present = action {
                seen.append(target(present) ?? "\(present)")
                if seen.count == 1 {
                    // The next request may have come with it; the body is not kept.
                    #expect(state.heldBytes <= get.utf8.count)
                    #expect(state.answer(now: Instant(nanoseconds: 0), isDraining: false).keepsAlive)
                }
                action = state.nextAction(now: Instant(nanoseconds: 0), admits: refuses)
            }
        }
        #expect(seen == ["turned away /full", "/next"])
        #expect(state.phase == .processing)
    }

    @Test func bytesThatNobodySawCountForTheBody() {
        var state = state()
        #expect(state.discardableBytes == 0)
        _ = receive(head + "01", &state)
        // The answer goes first.
        #expect(state.discardableBytes == 0)
        _ = state.answer(now: Instant(nanoseconds: 0), isDraining: false)
        #expect(state.discardableBytes == 8)
        state.discarded(5, now: Instant(nanoseconds: 9_000_000_000))
        #expect(state.discardableBytes == 3 && state.phase == .discarding)
        #expect(state.expire(now: Instant(nanoseconds: 18_999_999_999)) == nil)
        state.discarded(3, now: Instant(nanoseconds: 10_000_000_000))
        #expect(state.discardableBytes == 0 && state.isIdle)
        #expect(target(receive(get, &state)) == "/next")
    }

    @Test func ofAChunkedBodyEveryByteIsSeen() {
        var state = state()
        _ = receive("POST /full HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", &state)
        #expect(state.discardableBytes == 0)
    }

    @Test func closesWhereMuchIsToComeOrNobodyKnowsHowMuch() {
        for framing in ["Content-Length: 11", "Transfer-Encoding: chunked"] {
            var state = state { $0.maximumDiscardedBytes = 10 }
            let action = receive("POST /full HTTP/1.1\r\nHost: a\r\n\(framing)\r\n\r\n012", &state)
            #expect(target(action) == "turned away /full")
            #expect(!state.answer(now: Instant(nanoseconds: 0), isDraining: false).keepsAlive)
            #expect(state.phase == .flushing(lingers: true))
        }
    }

    @Test func aDrainingServerClosesAfterIt() {
        var state = state()
        _ = receive(head, &state)
        #expect(!state.answer(now: Instant(nanoseconds: 0), isDraining: true).keepsAlive)
    }

    @Test func waitsForTheRestAsLongAsForAnyBody() {
        var state = state()
        _ = receive(head + "01", &state)
        _ = state.answer(now: Instant(nanoseconds: 0), isDraining: false)
        #expect(state.phase == .discarding && state.wantsToReceive && !state.isIdle)
        #expect(receive("2", &state, seconds: 9) == nil)
        #expect(state.expire(now: Instant(nanoseconds: 18_999_999_999)) == nil)
        #expect(state.expire(now: Instant(nanoseconds: 19_000_000_000)) == .close)
    }

    @Test func closesWhereTheClientEndsInTheBody() {
        var state = state()
        _ = receive(head + "01", &state)
        _ = state.answer(now: Instant(nanoseconds: 0), isDraining: false)
        #expect(state.receivedEnd() == .close)
    }

    @Test func answersWithoutReadingTheBodyOverASocket() throws {
        let test = try TestServer()
        defer { test.stop() }
        let client = try test.client()
        // The whole of the body may never come: the answer does.
        try client.send("POST /full HTTP/1.1\r\nHost: a\r\nX-Request-Id: id\r\nContent-Length: 100000\r\n\r\n")
        let refused = try client.receive()
        #expect(refused.status == 503 && refused["x-request-id"] == "id" && refused["connection"] == nil)
        let record = try #require(test.finished.wait())
        #expect(record.route == "/full" && record.status == 503)
        // In pieces smaller and larger than what wakes the server, the last with the next request behind it.
        for count in [1, 30_000, 69_998] { try client.send([UInt8](repeating: 1, count: count)) }
        try client.send("1GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try client.receive().text == "hello")
        // Who asks first has nothing to take back.
        try client.send(
            "POST /full HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        #expect(try client.receive().status == 503)
        // Without a body the handler is asked at once.
        let other = try test.client()
        try other.send("POST /full HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
        #expect(try other.receive().status == 200)
    }

    /// Strangers must not fill the memory for bodies with what nobody will read.
    @Test(arguments: [
        ("POST /nowhere", 404), ("PUT /echo", 405), ("OPTIONS /echo", 204), ("BREW /echo", 501), ("GET /hello", 413),
    ]) func answersFromTheHeadWhatNobodyWouldRead(line: String, status: Int) throws {
        let test = try TestServer()
        defer { test.stop() }
        for framing in ["Content-Length: 1000000\r\n", "Transfer-Encoding: chunked\r\n"] {
            let client = try test.client()
            try client.send("\(line) HTTP/1.1\r\nHost: a\r\n\(framing)\r\n")
            // Not a byte of the body has been sent.
            #expect(try client.receive().status == status)
        }
        let small = try test.client()
        try small.send("GET /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
        #expect(try small.receive().text == "hello")
    }

    /// As a body beyond the server's own limit is.
    @Test(arguments: ["Content-Length: 1000000", "Transfer-Encoding: chunked"])
    func countsABodyBeyondTheRoutesLimit(framing: String) throws {
        let test = try TestServer()
        defer { test.stop() }
        let client = try test.client()
        try client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\(framing)\r\n\r\n")
        #expect(try client.receive().status == 413)
        #expect(test.rejected.wait() == .malformed(.bodyTooLarge(maximum: Router.maximumUnusedBytes)))
        let record = try #require(test.finished.wait())
        #expect(record.status == 413 && record.reason == "too_large" && record.route == "/hello")
    }

    @Test func whoIsRefusedAndGoesOnSendingHoldsUpNoDrain() throws {
        let test = try TestServer()
        let client = try test.client()
        try client.send("POST /full HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\npart")
        #expect(try client.receive().status == 503)
        #expect(test.stop()?.inFlight == 0)
        #expect(try client.receivesEnd())
    }
}
