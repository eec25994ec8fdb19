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
}
