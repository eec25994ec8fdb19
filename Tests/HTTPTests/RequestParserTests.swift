import HTTPTypes
import TestSupport
import Testing

@testable import HTTP

struct RequestParserTests {
    private struct NotRead: Error {}

    private func only(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) throws -> ParsedRequest {
        guard case .requests(let requests) = DecoderVerifier.verify(text, sourceLocation: sourceLocation) else {
            throw NotRead()
        }
        try #require(requests.count == 1, sourceLocation: sourceLocation)
        return requests[0]
    }

    @Test func readsARequestWithoutABody() throws {
        let request = try only("GET /v1/models?a=b HTTP/1.1\r\nHost: example.com:8080\r\nAccept:  */* \t\r\nX:\r\n\r\n")
        #expect(request.head.method == .get)
        #expect(request.head.target == "/v1/models?a=b")
        #expect(request.head.authority == "example.com:8080")
        #expect(request.head.version == .http11)
        #expect(request.head.fields == [.accept: "*/*", HTTPField.Name("x")!: ""])
        #expect(request.head.keepsAlive)
        #expect(request.body.isEmpty)
    }

    @Test func readsABodyOfADeclaredLength() throws {
        let request = try only("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\na\r\n\0b")
        #expect(request.body == Array("a\r\n\0b".utf8))
        #expect(request.head.framing == .length(5))
    }

    @Test func readsAChunkedBodyWithExtensionsAndTrailers() throws {
        let request = try only(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
                + "3;name=\"v;a\"\r\nabc\r\n00A ; x\r\n0123456789\r\n0;last\r\nX-Trailer: t\r\n\r\n")
        #expect(String(decoding: request.body, as: UTF8.self) == "abc0123456789")
        #expect(!request.head.fields.contains(HTTPField.Name("X-Trailer")!))
    }

    @Test func readsPipelinedRequestsAndStopsAtEachEnd() {
        let stream =
            "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"
            + "POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"
            + "\r\nGET /4 HTTP/1.0\r\n\r\n"
        guard case .requests(let requests) = DecoderVerifier.verify(stream) else {
            Issue.record("not read")
            return
        }
        #expect(requests.map(\.head.target) == ["/1", "/2", "/3", "/4"])
        #expect(requests.map { String(decoding: $0.body, as: UTF8.self) } == ["", "hi", "x", ""])
    }

    @Test func reportsJunkAfterACompleteRequest() {
        let outcome = DecoderVerifier.verify("GET / HTTP/1.1\r\nHost: a\r\n\r\n\u{1}junk")
        guard case .invalid(.controlByte(1), let requests) = outcome else {
            Issue.record("\(outcome)")
            return
        }
        #expect(requests.count == 1)
    }

    @Test func waitsForTheRest() {
        for text in [
            "G", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r",
            "POST / HTTP/1.1\r\nHost:a\r\nContent-Length: 3\r\n\r\nab",
        ] {
            #expect(DecoderVerifier.verify(text) == .needsMore(after: []))
        }
        #expect(DecoderVerifier.verify("\r\n\r\n\r") == .requests([]))
    }

    @Test(arguments: [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", true), ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", false),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n", false), ("GET / HTTP/1.0\r\n\r\n", false),
        ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true),
        ("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false), ("GET / HTTP/1.2\r\nHost: a\r\n\r\n", true),
    ])
    func knowsWhetherTheConnectionStaysOpen(text: String, keepsAlive: Bool) throws {
        #expect(try only(text).head.keepsAlive == keepsAlive)
    }

    @Test(arguments: [
        ("GET http://b:81/x?y HTTP/1.1", "/x?y", "b:81"), ("GET http://b HTTP/1.1", "/", "b"),
        ("GET HTTPS://b?q HTTP/1.1", "/?q", "b"), ("OPTIONS * HTTP/1.1", "*", "a"), ("GET //x HTTP/1.1", "//x", "a"),
    ])
    func readsEveryFormOfTarget(line: String, target: String, authority: String) throws {
        let head = try only("\(line)\r\nHost: a\r\n\r\n").head
        #expect(head.target == target)
        #expect(head.authority == authority)
    }

    @Test func expectsContinueOnlyInHTTP11WithABody() throws {
        #expect(
            try only("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\nx").head
                .expectsContinue)
        #expect(try !only("GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n").head.expectsContinue)
        #expect(try !only("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx").head.expectsContinue)
    }

    @Test func takesEqualContentLengthsForOne() throws {
        #expect(
            try only("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 01\r\n\r\nx").body.count == 1)
    }

    @Test func readsRandomStreamsAlikeHoweverCut() {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SplitMix64(seed: seed)
        let alphabet = Array(
            "GET / HTTP/1.1\r\n\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n0;,\t\0".utf8)
        for _ in 0..<400 {
            var bytes = Array("POST / HTTP/1.1\r\nHost: a\r\n".utf8)
            for _ in 0..<Int.random(in: 1...30, using: &random) {
                let start = Int.random(in: 0..<alphabet.count, using: &random)
                bytes += alphabet[start..<min(alphabet.count, start + Int.random(in: 1...28, using: &random))]
            }
            let whole = DecoderVerifier.read(bytes, configuration: .init()) { bytes.count }
            let pieces = DecoderVerifier.read(bytes, configuration: .init()) { Int.random(in: 1...9, using: &random) }
            #expect(whole == pieces, "seed \(seed): \(String(decoding: bytes, as: UTF8.self))")
        }
    }

    @Test func aBodyInSmallChunksIsNotCopiedForEach() {
        var parser = RequestParser()
        var capacities: Set<Int> = []
        func read(_ text: String) {
            var offset = 0
            Array(text.utf8).withUnsafeBufferPointer { bytes in
                while case .head = parser.read(bytes, from: &offset) {}
            }
            capacities.insert(parser.body.capacity)
        }
        read("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        let chunk = "800\r\n" + String(repeating: "x", count: 2048) + "\r\n"
        for _ in 0..<2048 { read(chunk) }
        #expect(parser.body.count == 4 << 20 && parser.bodyBytesRead == 4 << 20)
        #expect(capacities.count < 30, "\(capacities.sorted())")
    }

    @Test(arguments: [nil, 4096, 3] as [Int?]) func theLongestBodyTakesNoMoreMemoryThanItsLength(chunk: Int?) {
        var configuration = RequestParser.Configuration()
        configuration.maximumBodyBytes = 300_000
        var parser = RequestParser(configuration: configuration)
        let framing = chunk == nil ? "Content-Length: 300000" : "Transfer-Encoding: chunked"
        var text = "POST / HTTP/1.1\r\nHost: a\r\n\(framing)\r\n\r\n"
        var left = 300_000
        while left > 0 {
            let count = min(left, chunk ?? left)
            let data = String(repeating: "x", count: count)
            text += chunk == nil ? data : String(count, radix: 16) + "\r\n\(data)\r\n"
            left -= count
        }
        if chunk != nil { text += "0\r\n\r\n" }
        let bytes = Array(text.utf8)
        for start in stride(from: 0, to: bytes.count, by: 10_000) {
            var (offset, last) = (0, RequestParser.Progress.head)
            bytes[start..<min(start + 10_000, bytes.count)].withUnsafeBufferPointer { piece in
                while case .head = last { last = parser.read(piece, from: &offset) }
            }
            // A page more at the most, which is the allocator's.
            #expect(parser.bodyMemoryBytes <= 300_000 && parser.body.capacity < 304_200)
            guard case .complete(let request) = last else { continue }
            #expect(request.body.count == 300_000 && parser.memoryBytes(of: request.body) == 300_000)
            return
        }
        Issue.record("not read")
    }

    @Test func reservesLittleForABodyThatIsOnlyPromised() throws {
        var parser = RequestParser()
        var offset = 0
        let bytes = Array("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 16000000\r\n\r\nx".utf8)
        #expect(bytes.withUnsafeBufferPointer { parser.read($0, from: &offset) } == .head)
        #expect(bytes.withUnsafeBufferPointer { parser.read($0, from: &offset) } == .needsMore)
        #expect(parser.body.capacity <= 2 * RequestParser.reserveAheadBytes)
    }
}
