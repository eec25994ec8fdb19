import HTTPTypes
import Testing

@testable import HTTP

/// Probes of framing, smuggling and limits: what is sent, and how it is refused.
struct RequestRefusalTests {
    struct Probe: Sendable, CustomTestStringConvertible {
        var text: String
        var error: HTTPParseError
        var status: Int
        var testDescription: String { String(text.prefix(90)) }

        init(_ text: String, _ error: HTTPParseError, _ status: Int = 400) {
            self.text = text
            self.error = error
            self.status = status
        }
    }

    private static let post = "POST / HTTP/1.1\r\nHost: a\r\n"
    private static let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

    static let lines: [Probe] = [
        Probe("GET / HTTP/1.1\nHost: a\r\n\r\n", .bareLineFeed),
        Probe("GET / HTTP/1.1\r\nHost: a\n\r\n", .bareLineFeed),
        Probe("GET / HTTP/1.1\r\nHost: a\r\n\n", .bareLineFeed),
        Probe("GET / HTTP/1.1\rHost: a\r\n\r\n", .bareCarriageReturn),
        Probe("GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", .bareCarriageReturn),
        Probe("GET / HTTP/1.1\r\nHost: a\r\n\rX", .bareCarriageReturn),
        Probe("GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n", .controlByte(0)),
        Probe("GET / HTTP/1.1\r\nHost: a\r\nX: \u{0B}\r\n\r\n", .controlByte(0x0B)),
        Probe("GET / HTTP/1.1\r\nHost: a\r\nX: \u{7F}\r\n\r\n", .controlByte(0x7F)),
        Probe("G\0T / HTTP/1.1\r\nHost: a\r\n\r\n", .controlByte(0)),
        Probe("GET\r\n\r\n", .malformedRequestLine("GET")),
        Probe("GET /\r\n\r\n", .malformedRequestLine("GET /")),
        Probe("GET  / HTTP/1.1\r\n\r\n", .malformedRequestLine("GET  / HTTP/1.1")),
        Probe(" GET / HTTP/1.1\r\n\r\n", .malformedRequestLine(" GET / HTTP/1.1")),
        Probe("G(T / HTTP/1.1\r\n\r\n", .malformedRequestLine("G(T / HTTP/1.1")),
        Probe("GET\t/\tHTTP/1.1\r\n\r\n", .malformedRequestLine("GET\t/\tHTTP/1.1")),
        Probe("GET /a b HTTP/1.1\r\n\r\n", .malformedVersion("b HTTP/1.1")),
        Probe("GET /é HTTP/1.1\r\nHost: a\r\n\r\n", .malformedTarget("/é HTTP/1.1")),
        Probe("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", .malformedTarget("/a#b")),
        Probe("GET a HTTP/1.1\r\nHost: a\r\n\r\n", .malformedTarget("a")),
        Probe("GET * HTTP/1.1\r\nHost: a\r\n\r\n", .malformedTarget("*")),
        Probe("GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", .malformedTarget("http:///x")),
        Probe("GET http://u@h/x HTTP/1.1\r\nHost: a\r\n\r\n", .malformedTarget("http://u@h/x")),
        Probe("GET / http/1.1\r\n\r\n", .malformedVersion("http/1.1")),
        Probe("GET / HTTP/1.1 \r\n\r\n", .malformedVersion("HTTP/1.1 ")),
        Probe("GET / HTTP/1\r\n\r\n", .malformedVersion("HTTP/1")),
        Probe("GET / HTTP/11.1\r\n\r\n", .malformedVersion("HTTP/11.1")),
        Probe("GET / HTTP/2.0\r\n\r\n", .unsupportedVersion("HTTP/2.0"), 505),
        Probe("GET / HTTP/0.9\r\n\r\n", .unsupportedVersion("HTTP/0.9"), 505),
        Probe("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", .unsupportedVersion("HTTP/2.0"), 505),
    ]

    static let fields: [Probe] = [
        Probe("GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", .foldedField),
        Probe("GET / HTTP/1.1\r\nHost: a\r\n\tfolded: x\r\n\r\n", .foldedField),
        Probe("GET / HTTP/1.1\r\n Host: a\r\n\r\n", .foldedField),
        Probe("GET / HTTP/1.1\r\nHost : a\r\n\r\n", .spaceBeforeColon(name: "Host")),
        Probe("\(post)Content-Length\t: 3\r\n\r\nabc", .spaceBeforeColon(name: "Content-Length")),
        Probe("GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n", .malformedFieldName("")),
        Probe("GET / HTTP/1.1\r\nHost: a\r\nX Y: x\r\n\r\n", .malformedFieldName("X Y")),
        Probe("GET / HTTP/1.1\r\nHost: a\r\nX@: x\r\n\r\n", .malformedFieldName("X@")),
        Probe("GET / HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n", .missingColon("nonsense")),
        Probe("GET / HTTP/1.1\r\n\r\n", .missingHost),
        Probe("GET http://a/ HTTP/1.1\r\n\r\n", .missingHost),
        Probe("GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", .repeatedHost),
        Probe("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", .repeatedHost),
        Probe("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", .malformedHost("a b")),
        Probe("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", .malformedHost("a/b")),
        Probe("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", .malformedHost("u@a")),
        Probe("\(post)Expect: a-pony\r\n\r\n", .unknownExpectation("a-pony"), 417),
    ]

    static let framing: [Probe] = [
        Probe("\(post)Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", .lengthAndTransferEncoding),
        Probe("\(post)Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n", .lengthAndTransferEncoding),
        Probe("\(post)Transfer-Encoding: gzip\r\nContent-Length: 1\r\n\r\n", .lengthAndTransferEncoding),
        Probe("\(post)Content-Length: 5\r\nContent-Length: 6\r\n\r\n", .differingContentLengths("5", "6")),
        Probe("\(post)Content-Length: 5, 5\r\n\r\n", .malformedContentLength("5, 5")),
        Probe("\(post)Content-Length: +5\r\n\r\n", .malformedContentLength("+5")),
        Probe("\(post)Content-Length: -1\r\n\r\n", .malformedContentLength("-1")),
        Probe("\(post)Content-Length: 0x5\r\n\r\n", .malformedContentLength("0x5")),
        Probe("\(post)Content-Length: 5 5\r\n\r\n", .malformedContentLength("5 5")),
        Probe("\(post)Content-Length:\r\n\r\n", .malformedContentLength("")),
        Probe("\(post)Content-Length: ٣\r\n\r\n", .malformedContentLength("٣")),
        Probe("\(post)Content-Length: 16777217\r\n\r\n", .bodyTooLarge(maximum: 16 << 20), 413),
        Probe("\(post)Content-Length: 99999999999999999999999\r\n\r\n", .bodyTooLarge(maximum: 16 << 20), 413),
        Probe("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", .transferEncodingInHTTP10),
        Probe("\(post)Transfer-Encoding: gzip, chunked\r\n\r\n", .unknownTransferCoding("gzip"), 501),
        Probe("\(post)Transfer-Encoding: identity\r\n\r\n", .unknownTransferCoding("identity"), 501),
        Probe("\(post)Transfer-Encoding: xchunked\r\n\r\n", .unknownTransferCoding("xchunked"), 501),
        Probe("\(post)Transfer-Encoding: chunked;q=1\r\n\r\n", .unknownTransferCoding("chunked;q=1"), 501),
        Probe("\(post)Transfer-Encoding: chunked, chunked\r\n\r\n", .malformedTransferEncoding("chunked, chunked")),
        Probe(
            "\(post)Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            .malformedTransferEncoding("chunked, chunked")),
        Probe("\(post)Transfer-Encoding: ,chunked\r\n\r\n", .malformedTransferEncoding(",chunked")),
        Probe("\(post)Transfer-Encoding:\r\n\r\n", .malformedTransferEncoding("")),
        Probe("\(chunked)\r\n", .malformedChunkSize(found: 0x0D)),
        Probe("\(chunked)g\r\n", .malformedChunkSize(found: 0x67)),
        Probe("\(chunked)-1\r\n", .malformedChunkSize(found: 0x2D)),
        Probe("\(chunked)0x1\r\n", .malformedChunkSize(found: 0x78)),
        Probe("\(chunked) 1\r\n", .malformedChunkSize(found: 0x20)),
        Probe("\(chunked)1 \r\nx", .malformedChunkSize(found: 0x0D)),
        Probe("\(chunked)1\nx", .bareLineFeed),
        Probe("\(chunked)1\rx", .bareCarriageReturn),
        Probe("\(chunked)1;a\nx", .bareLineFeed),
        Probe("\(chunked)1;\0\r\nx", .controlByte(0)),
        Probe("\(chunked)ffffffffffffffff\r\n", .chunkSizeOverflow),
        Probe("\(chunked)0000000000000001\r\nx\r\n", .chunkSizeOverflow),
        Probe("\(chunked)1000001\r\n", .bodyTooLarge(maximum: 16 << 20), 413),
        Probe("\(chunked)1\r\nxy\r\n", .malformedChunkEnd(found: 0x79)),
        Probe("\(chunked)1\r\nx\n0\r\n\r\n", .malformedChunkEnd(found: 0x0A)),
        Probe("\(chunked)1\r\nx\rx", .malformedChunkEnd(found: 0x78)),
        Probe("\(chunked)0\r\nbad\r\n\r\n", .missingColon("bad")),
        Probe("\(chunked)0\r\nX : y\r\n\r\n", .spaceBeforeColon(name: "X")),
        Probe("\(chunked)0\r\n\n", .bareLineFeed),
    ]

    @Test(arguments: lines + fields + framing)
    func refuses(probe: Probe) {
        #expect(DecoderVerifier.verify(probe.text) == .invalid(probe.error, after: []))
        #expect(probe.error.status.code == probe.status)
        #expect(!probe.error.description.isEmpty)
    }

    @Test func refusesWhatIsOverItsLimitAndTakesWhatIsAtIt() {
        var limits = RequestParser.Configuration()
        limits.maximumTargetBytes = 100
        limits.maximumHeadBytes = 200
        limits.maximumFieldCount = 3
        limits.maximumBodyBytes = 10
        func outcome(_ text: String) -> DecoderVerifier.Outcome {
            DecoderVerifier.verify(Array(text.utf8), configuration: limits)
        }
        func isRead(_ text: String) -> Bool { if case .requests = outcome(text) { true } else { false } }
        func request(target: String = "/", fields: String = "") -> String {
            "GET \(target) HTTP/1.1\r\nHost: a\r\n\(fields)\r\n"
        }
        let target = "/" + String(repeating: "a", count: 99)
        #expect(isRead(request(target: target)))
        #expect(outcome(request(target: target + "a")) == .invalid(.targetTooLong(maximum: 100), after: []))
        let endless = "GET /" + String(repeating: "a", count: 400)
        #expect(outcome(endless) == .invalid(.targetTooLong(maximum: 100), after: []))
        // "Host: a" and "X: …" with their line ends are 9 and 191 bytes.
        let value = String(repeating: "v", count: 186)
        #expect(isRead(request(fields: "X: \(value)\r\n")))
        #expect(outcome(request(fields: "X: \(value)v\r\n")) == .invalid(.headTooLarge(maximum: 200), after: []))
        #expect(isRead(request(fields: "A:1\r\nB:2\r\nC:3\r\n")))
        #expect(
            outcome(request(fields: "A:1\r\nB:2\r\nC:3\r\nD:4\r\n")) == .invalid(.tooManyFields(maximum: 3), after: []))
        let chunks = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n"
        #expect(isRead(chunks + "5\r\n12345\r\n0\r\n\r\n"))
        #expect(outcome(chunks + "6\r\n123456\r\n0\r\n\r\n") == .invalid(.bodyTooLarge(maximum: 10), after: []))
        let extensions = String(repeating: "x", count: 201)
        #expect(outcome(chunks + "1;\(extensions)") == .invalid(.chunkExtensionsTooLarge(maximum: 200), after: []))
        let trailers = String(repeating: "T: t\r\n", count: 40)
        #expect(outcome(chunks + "0\r\n\(trailers)") == .invalid(.headTooLarge(maximum: 200), after: []))
        #expect(HTTPParseError.targetTooLong(maximum: 1).status == .uriTooLong)
        #expect(HTTPParseError.headTooLarge(maximum: 1).status == .requestHeaderFieldsTooLarge)
    }

    @Test func staysInvalid() {
        var parser = RequestParser()
        var offset = 0
        let bytes = Array("X\nGET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
        for _ in 0..<2 {
            let progress = bytes.withUnsafeBufferPointer { parser.read($0, from: &offset) }
            #expect(progress == .invalid(.bareLineFeed))
        }
    }
}
