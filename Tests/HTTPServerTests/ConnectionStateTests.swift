import HTTP
import Parallelism
import Testing

@testable import HTTPServer

/// A connection driven by hand: what happens, and when.
private struct Driver {
    var state: ConnectionState
    var now = Instant(nanoseconds: 1_000)
    var admits: ConnectionState.Admits = { _, _ in true }

    init(_ change: (inout ServerConfiguration) -> Void = { _ in }) {
        var configuration = ServerConfiguration()
        change(&configuration)
        state = ConnectionState(configuration: configuration, now: now)
    }

    mutating func receive(_ text: String) -> [ConnectionAction] {
        var actions: [ConnectionAction] = []
        let bytes = Array(text.utf8)
        if let action = bytes.withUnsafeBufferPointer({ state.received($0, now: now, admits: admits) }) {
            actions.append(action)
        }
        return actions + settle()
    }

    mutating func receiveEnd() -> [ConnectionAction] {
        let action = state.receivedEnd()
        return (action.map { [$0] } ?? []) + settle()
    }

    mutating func settle() -> [ConnectionAction] {
        var actions: [ConnectionAction] = []
        while let action = state.nextAction(now: now, admits: admits) { actions.append(action) }
        return actions
    }

    mutating func answer(_ text: String = "ok", isDraining: Bool = false) -> ResponseFraming {
        let framing = state.answer(now: now, isDraining: isDraining)
        state.output.append { $0.append(contentsOf: text.utf8) }
        return framing
    }

    /// Sends all output and returns it.
    mutating func send() -> String {
        let sent = state.output.withUnsafePieces { first, second in
            String(decoding: first, as: UTF8.self) + String(decoding: second, as: UTF8.self)
        }
        state.sent(state.output.count, now: now)
        return sent
    }

    mutating func advance(seconds: Double) -> [ConnectionAction] {
        now = now.advanced(byNanoseconds: Int64(seconds * 1e9))
        let action = state.expire(now: now)
        return (action.map { [$0] } ?? []) + settle()
    }
}

private func targets(_ actions: [ConnectionAction]) -> [String] {
    actions.map { action in
        switch action {
        case .dispatch(let request): request.head.target
        case .decide(let head): "decide \(head.target)"
        case .refuse(let rejection): "refuse \(rejection.status.code)"
        case .turnAway(let head): "turn away \(head.target)"
        case .cancel: "cancel"
        case .shutdownSending: "shutdown"
        case .close: "close"
        }
    }
}

struct ConnectionStateTests {
    private let get = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"

    @Test func answersPipelinedRequestsInOrderAndOneAtATime() {
        var driver = Driver()
        #expect(targets(driver.receive(get + "GET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HT")) == ["/1"])
        #expect(driver.settle().isEmpty)
        #expect(driver.answer("1").keepsAlive)
        #expect(targets(driver.settle()) == ["/2"])
        #expect(driver.answer("2").keepsAlive)
        #expect(driver.settle().isEmpty)
        #expect(targets(driver.receive("TP/1.1\r\nHost: a\r\n\r\n")) == ["/3"])
        _ = driver.answer("3")
        #expect(driver.send() == "123")
        #expect(driver.state.isIdle)
    }

    @Test func stopsReadingWhileTooMuchIsPending() {
        var driver = Driver { $0.maximumBacklogBytes = 100 }
        _ = driver.receive(get)
        #expect(driver.state.wantsToReceive)
        #expect(driver.receive(String(repeating: get, count: 4)).isEmpty)
        #expect(!driver.state.wantsToReceive)
        for _ in 0..<5 {
            _ = driver.answer()
            _ = driver.settle()
        }
        #expect(driver.state.wantsToReceive)
    }

    @Test func beginsNoRequestWhileTheClientDoesNotReadItsAnswers() {
        var driver = Driver { $0.maximumOutputBytes = 10 }
        _ = driver.receive(get + get)
        _ = driver.answer("0123456789")
        #expect(driver.settle().isEmpty)
        _ = driver.send()
        #expect(targets(driver.settle()) == ["/1"])
    }

    @Test func asksWhetherToContinueOnlyWhileTheBodyIsHeldBack() {
        let head = "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
        var driver = Driver()
        #expect(targets(driver.receive(head)) == ["decide /p"])
        driver.state.proceed(now: driver.now)
        #expect(driver.send() == "HTTP/1.1 100 Continue\r\n\r\n")
        #expect(targets(driver.receive("hi")) == ["/p"])
        var other = Driver()
        #expect(targets(other.receive(head + "hi")) == ["/p"])
        #expect(other.state.output.isEmpty)
    }

    @Test func refusalClosesAfterTheClientCanReadIt() {
        var driver = Driver()
        #expect(
            targets(driver.receive("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\nabc")) == [
                "refuse 413"
            ])
        #expect(!driver.answer("no").keepsAlive)
        #expect(driver.settle().isEmpty)
        #expect(driver.send() == "no")
        #expect(targets(driver.settle()) == ["shutdown"])
        #expect(driver.state.wantsToReceive)
        #expect(driver.receive(String(repeating: "x", count: 1000)).isEmpty)
        #expect(targets(driver.receiveEnd()) == ["close"])
    }

    @Test func lingeringIsBoundedInBytesAndTime() {
        func lingering() -> Driver {
            var driver = Driver { $0.maximumLingerBytes = 10 }
            _ = driver.receive("X\n")
            _ = driver.answer()
            _ = driver.send()
            #expect(targets(driver.settle()) == ["shutdown"])
            return driver
        }
        var byBytes = lingering()
        #expect(byBytes.receive("0123456789").isEmpty)
        #expect(targets(byBytes.receive("x")) == ["close"])
        var byTime = lingering()
        #expect(byTime.advance(seconds: 4.9).isEmpty)
        #expect(targets(byTime.advance(seconds: 0.1)) == ["close"])
    }

    @Test func endAfterACompleteRequestCancelsItAndStillSendsItsAnswer() {
        var driver = Driver()
        _ = driver.receive(get + get)
        #expect(targets(driver.receiveEnd()) == ["cancel"])
        #expect(!driver.state.wantsToReceive)
        #expect(!driver.answer("late").keepsAlive)
        #expect(driver.send() == "late")
        #expect(targets(driver.settle()) == ["close"])
    }

    @Test func endInsideARequestIsRefusedAndBetweenRequestsCloses() {
        for part in ["GET /", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab"] {
            var driver = Driver()
            _ = driver.receive(part)
            #expect(driver.receiveEnd() == [.refuse(.disconnected)])
            #expect(!driver.answer("incomplete").keepsAlive)
            #expect(driver.send() == "incomplete")
            #expect(targets(driver.settle()) == ["close"])
        }
        var idle = Driver()
        #expect(targets(idle.receiveEnd()) == ["close"])
    }

    @Test func headMayTakeTenSecondsFromItsFirstByte() {
        var driver = Driver()
        #expect(driver.advance(seconds: 70).isEmpty)
        for _ in 0..<9 {
            #expect(driver.receive("G").isEmpty)
            #expect(driver.advance(seconds: 1).isEmpty)
        }
        #expect(targets(driver.advance(seconds: 1)) == ["refuse 408"])
    }

    @Test func bodyMustMakeProgressAndEndInTime() {
        let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"
        var stalled = Driver()
        _ = stalled.receive(head)
        #expect(stalled.advance(seconds: 9.9).isEmpty)
        #expect(stalled.receive("x").isEmpty)
        #expect(stalled.advance(seconds: 9.9).isEmpty)
        #expect(targets(stalled.advance(seconds: 0.1)) == ["refuse 408"])
        var slow = Driver()
        _ = slow.receive(head)
        for _ in 0..<23 {
            #expect(slow.advance(seconds: 5).isEmpty)
            _ = slow.receive("x")
        }
        #expect(targets(slow.advance(seconds: 5)) == ["refuse 408"])
    }

    @Test func knowsHowMuchWasReadOfABodyThatIsGivenUp() {
        let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        let ways: [(bytes: String, count: Int, ending: (inout Driver) -> [ConnectionAction])] = [
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabcd", 4, { $0.receiveEnd() }),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc", 3, { $0.advance(seconds: 10) }),
            (chunked + "5\r\nabcde\r\n", 5, { $0.receive("x\r\n") }),
            (chunked + "5\r\nabcde\r\n", 5, { $0.receive("fffffff\r\n") }),
            (chunked + "5\r\nab", 2, { driver in driver.state.holdsTooMuch().map { [$0] } ?? [] }),
            ("GET / HTTP/1.1\r\nHo", 0, { $0.receiveEnd() }),
        ]
        for way in ways {
            var driver = Driver()
            #expect(driver.receive(way.bytes).isEmpty)
            guard case .refuse? = way.ending(&driver).first else {
                Issue.record("not refused: \(way.bytes)")
                continue
            }
            #expect(driver.state.bodyBytesRead == way.count, "\(way.bytes)")
        }
    }

    @Test func knowsWhatWaitsBehindARequest() {
        let body = "POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
        func waiting(_ text: String, _ change: (inout Driver) -> Void = { _ in }) -> [String] {
            var driver = Driver { $0.maximumOutputBytes = 10 }
            _ = driver.receive(text)
            change(&driver)
            return driver.state.waitingRequests.map { "\($0.head.target) \($0.bodyBytes)" }
        }
        #expect(waiting(get).isEmpty)
        let part = "POST /4 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na"
        #expect(waiting(get + body + get + part) == ["/2 3", "/1 0", "/4 1"])
        // Of a head that has not come as a whole the target may be known.
        #expect(waiting(get + "GET /3") == [" 0"])
        #expect(waiting(get + "GET /3 HTTP/1.1\r\nHo") == ["/3 0"])
        #expect(waiting(get + body + "nonsense\r\n\r\n" + get) == ["/2 3", " 0"])
        // What has begun to be read is not behind another.
        #expect(waiting("GET /1").isEmpty)
        // Until the client reads its answers.
        #expect(waiting(get + body) { _ = $0.answer("0123456789") } == ["/2 3"])
    }

    @Test func idleConnectionsCloseAndBusyOnesDoNot() {
        var driver = Driver()
        _ = driver.receive(get)
        #expect(driver.advance(seconds: 1000).isEmpty)
        _ = driver.answer()
        _ = driver.send()
        #expect(driver.advance(seconds: 74.9).isEmpty)
        #expect(targets(driver.advance(seconds: 0.1)) == ["close"])
    }

    @Test func aClientThatDoesNotReadIsGivenUp() {
        var driver = Driver()
        _ = driver.receive(get)
        _ = driver.answer("0123456789")
        #expect(driver.advance(seconds: 29).isEmpty)
        driver.state.sent(1, now: driver.now)
        #expect(driver.advance(seconds: 29).isEmpty)
        #expect(targets(driver.advance(seconds: 1)) == ["close"])
    }

    @Test func drainingClosesAfterTheLastRequestThatHasBegun() {
        var driver = Driver()
        _ = driver.receive(get + get)
        #expect(driver.answer("1", isDraining: true).keepsAlive)
        #expect(targets(driver.settle()) == ["/1"])
        #expect(!driver.answer("2", isDraining: true).keepsAlive)
        #expect(driver.send() == "12")
        #expect(targets(driver.settle()) == ["close"])
    }

    @Test func holdsNoMoreThanIsPendingHoweverLongItPipelines() {
        var driver = Driver()
        _ = driver.receive(get + "GET /")
        for _ in 0..<1000 {
            _ = driver.answer()
            _ = driver.send()
            #expect(driver.settle().isEmpty)
            #expect(targets(driver.receive("1 HTTP/1.1\r\nHost: a\r\n\r\nGET /")) == ["/1"])
        }
    }
}

struct OutputBufferTests {
    private func pieces(_ output: OutputBuffer) -> [String] {
        output.withUnsafePieces { [String(decoding: $0, as: UTF8.self), String(decoding: $1, as: UTF8.self)] }
    }

    @Test func sendsALargeBodyFromWhereItLies() {
        let body = [UInt8](repeating: 0x78, count: OutputBuffer.largeBodyBytes)
        var output = OutputBuffer()
        output.append { $0.append(contentsOf: "head".utf8) }
        output.append(body: body)
        #expect(output.count == 4 + body.count)
        #expect(pieces(output)[0] == "head")
        output.consume(2)
        #expect(pieces(output)[0] == "ad")
        output.consume(12)
        #expect(pieces(output)[0].isEmpty && pieces(output)[1].utf8.count == body.count - 10)
        output.append { $0.append(contentsOf: "next".utf8) }
        #expect(pieces(output)[0].hasSuffix("xnext") && pieces(output)[1].isEmpty)
        #expect(output.count == body.count - 10 + 4)
        output.consume(output.count)
        #expect(output.isEmpty)
    }

    @Test func joinsASmallBodyToItsHead() {
        var output = OutputBuffer()
        output.append { $0.append(contentsOf: "head".utf8) }
        output.append(body: Array("body".utf8))
        #expect(pieces(output) == ["headbody", ""])
    }
}
