import Dispatch
import HTTP
import HTTPTypes
import TestSupport
import Testing

@testable import HTTPServer

struct ServerTests {
    @Test func answersWithEverythingThatAnAnswerCarries() throws {
        let test = try TestServer()
        defer { test.stop() }
        let client = try test.client()
        try client.send("GET /hello HTTP/1.1\r\nHost: a\r\nX-Request-Id: abc-1\r\n\r\n")
        let response = try client.receive()
        #expect(response.status == 200)
        #expect(response.text == "hello")
        #expect(response["content-type"] == "text/plain")
        #expect(response["x-request-id"] == "abc-1")
        #expect(response["server-timing"]?.hasPrefix("read;dur=") == true)
        #expect(response["date"]?.hasSuffix(" GMT") == true)
        #expect(response["connection"] == nil)
        let record = try #require(test.finished.wait())
        #expect(record.route == "/hello" && record.status == 200 && record.requestID == "abc-1")
    }

    @Test(arguments: [
        "", "X-Request-Id: a b\r\n", "X-Request-Id: \(String(repeating: "a", count: 129))\r\n", "X-Request-Id: é\r\n",
    ])
    func makesAnIDWhereTheClientsIsUnfit(field: String) throws {
        let test = try TestServer()
        defer { test.stop() }
        let client = try test.client()
        var ids: Set<String> = []
        for _ in 0..<3 {
            try client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\(field)\r\n")
            ids.insert(try #require(try client.receive()["x-request-id"]))
        }
        #expect(ids.count == 3)
        #expect(ids.allSatisfy { $0.count == 16 })
    }

    @Test func keepsTheConnectionForManyRequestsAndBodies() throws {
        let test = try TestServer()
        defer { test.stop() }
        let client = try test.client()
        for size in [0, 1, 100, 70_000, 1 << 20] {
            let body = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            try client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: \(size)\r\n\r\n")
            try client.send(body)
            let response = try client.receive()
            #expect(response.body == body)
            #expect(response["server-timing"]?.hasSuffix(", compute;dur=500.000") == true)
        }
    }

    @Test func answersPipelinedRequestsInOrder() throws {
        let test = try TestServer()
        defer { test.stop() }
        let client = try test.client()
        let names = (0..<50).map { "m\($0)" }
        try client.send(names.map { "GET /models/\($0)?q=%41 HTTP/1.1\r\nHost: a\r\n\r\n" }.joined())
        for name in names { #expect(try client.receive().text == "\(name) A") }
    }

    @Test func holdsPipelinedRequestsBackUntilTheFirstIsAnswered() throws {
        let test = try TestServer()
        defer { test.stop() }
        let client = try test.client()
        try client.send("GET /hold/1 HTTP/1.1\r\nHost: a\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
        try #require(test.held.wait()).responder.respond(Response(contentType: "t/p", body: Array("held".utf8)))
        #expect(try client.receive().text == "held")
        #expect(try client.receive().text == "hello")
    }

    @Test func readsChunkedBodies() throws {
        let test = try TestServer()
        defer { test.stop() }
        let client = try test.client()
        try client.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwi")
        try client.send("ki\r\n5;x=y\r\npedia\r\n0\r\nT: t\r\n\r\n")
        #expect(try client.receive().text == "wikipedia")
    }

    @Test func sendsContinueWhenAsked() throws {
        let test = try TestServer()
        defer { test.stop() }
        let client = try test.client()
        try client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        #expect(try client.receive().status == 100)
        try client.send("hi")
        #expect(try client.receive().text == "hi")
        // Nobody would read the body: the answer comes instead of 100.
        try client.send("POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        let refusal = try client.receive()
        #expect(refusal.status == 404 && refusal["connection"] == "close")
        #expect(try client.receivesEnd())
    }

    @Test func answersHeadWithTheLengthAlone() throws {
        let test = try TestServer()
        defer { test.stop() }
        let client = try test.client()
        try client.send("HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n")
        let head = try client.receive(toHead: true)
        #expect(head.status == 200 && head["content-length"] == "5")
        try client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try client.receive().text == "hello")
    }

    @Test func servesHTTP10() throws {
        let test = try TestServer()
        defer { test.stop() }
        let kept = try test.client()
        try kept.send("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        #expect(try kept.receive()["connection"] == "keep-alive")
        try kept.send("GET /hello HTTP/1.0\r\n\r\n")
        #expect(try kept.receive()["connection"] == "close")
        #expect(try kept.receivesEnd())
    }

    @Test func sendsALargeAnswerToASlowReader() throws {
        let test = try TestServer()
        defer { test.stop() }
        let client = try test.client()
        try client.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try client.receive().body.count == 4 << 20)
        #expect(try client.receive().text == "hello")
    }

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

    @Test func answersOptionsWithAllow() throws {
        let test = try TestServer()
        defer { test.stop() }
        let client = try test.client()
        try client.send("OPTIONS /echo HTTP/1.1\r\nHost: a\r\n\r\n")
        let response = try client.receive()
        #expect(response.status == 204)
        #expect(response["allow"] == "OPTIONS, POST")
        #expect(response["content-length"] == nil)
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

    @Test func answers500WhereAHandlerForgets() throws {
        let test = try TestServer()
        defer { test.stop() }
        let client = try test.client()
        try client.send("GET /drop HTTP/1.1\r\nHost: a\r\n\r\nGET /hold/x HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try client.receive().status == 500)
        _ = test.held.wait()
        #expect(try client.receive().status == 500)
    }

    @Test func takesOnlyTheFirstAnswer() throws {
        let test = try TestServer()
        defer { test.stop() }
        let client = try test.client()
        try client.send("GET /hold/x HTTP/1.1\r\nHost: a\r\n\r\n")
        let responder = try #require(test.held.wait()).responder
        responder.respond(Response(status: .accepted))
        responder.respond(Response(status: .conflict))
        #expect(try client.receive().status == 202)
        try client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try client.receive().status == 200)
    }

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

struct DrainTests {
    @Test func finishesWhatHasBegunAndClosesIdleConnectionsLast() throws {
        let test = try TestServer()
        let busy = try test.client()
        let idle = try test.client()
        let partial = try test.client()
        try idle.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try idle.receive()["connection"] == nil)
        try busy.send("GET /hold/1 HTTP/1.1\r\nHost: a\r\n\r\n")
        let held = try #require(test.held.wait())
        // The first answer tells that the server has read the beginning of the second request, too.
        try partial.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\nPOST /echo HTTP/1.1\r\nHost: a\r\nContent-Le")
        #expect(try partial.receive().status == 200)

        test.server.beginDrain()
        try idle.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try idle.receive()["connection"] == "close")
        let late = try test.client()
        try late.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")

        let done = Signal<DrainReport>()
        test.server.finishDrain { done.send($0) }
        // Nobody listens any more: what was in flight has been counted.
        while (try? test.client()) != nil {}
        #expect(try late.receive().text == "hello")
        try partial.send("ngth: 2\r\n\r\nhi")
        let answer = try partial.receive()
        #expect(answer.text == "hi" && answer["connection"] == "close")
        held.responder.respond(Response(contentType: "t/p", body: Array("held".utf8)))
        let last = try busy.receive()
        #expect(last.text == "held" && last["connection"] == "close")
        #expect(try busy.receivesEnd())
        let report = try #require(done.wait())
        #expect(report.inFlight >= 2)
        #expect(report.served >= 3)
        #expect(report.refused == 0)
        #expect(throws: RawClientError.self) { try test.client() }
    }

    @Test func losesNoRequestOfClientsThatKeepComing() throws {
        let test = try TestServer()
        let results = Signal<(answered: Int, failure: String?)>()
        let started = Signal<Void>()
        for _ in 0..<4 {
            let queue = DispatchQueue(label: "client")
            queue.async {
                var answered = 0
                do {
                    while true {
                        // From the drain's second phase on nobody listens: that, and nothing else, ends the client.
                        guard let client = try? test.client() else { break }
                        var isOpen = true
                        while isOpen {
                            try client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
                            let response = try client.receive()
                            guard response.text == "abc" else { throw RawClientError.malformed(response.text) }
                            isOpen = response["connection"] != "close"
                            answered += 1
                            if answered == 20 { started.send(()) }
                        }
                    }
                    results.send((answered, nil))
                } catch RawClientError.endOfStream(after: "") {
                    // Connected, but no byte of the request was read before the end: may be sent again elsewhere.
                    results.send((answered, nil))
                } catch RawClientError.failed(_, _) {
                    results.send((answered, nil))
                } catch {
                    results.send((answered, "\(error)"))
                }
            }
        }
        for _ in 0..<4 { #expect(started.wait() != nil) }
        test.server.beginDrain()
        let report = try #require(test.stop())
        var answered = 0
        for _ in 0..<4 {
            let result = try #require(results.wait())
            #expect(result.failure == nil)
            answered += result.answered
        }
        #expect(report.refused == 0)
        #expect(answered >= 80)
    }
}
