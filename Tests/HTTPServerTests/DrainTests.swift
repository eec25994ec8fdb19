import Dispatch
import TestSupport
import Testing

@testable import HTTPServer

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
