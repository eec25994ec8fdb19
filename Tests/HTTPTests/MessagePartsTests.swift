import HTTPTypes
import Testing

@testable import HTTP

struct RequestTargetTests {
    @Test func decodesPathSegmentsAndQuery() throws {
        let target = try RequestTarget("/v1/a%2Fb/%C3%A9?top_k=5&model=a+b%2B&flag&=x&&e=")
        #expect(target.path == "/v1/a%2Fb/%C3%A9")
        #expect(target.segments == ["v1", "a/b", "é"])
        #expect(
            target.query == [
                QueryItem(name: "top_k", value: "5"), QueryItem(name: "model", value: "a b+"),
                QueryItem(name: "flag", value: ""), QueryItem(name: "", value: "x"), QueryItem(name: "e", value: ""),
            ])
        #expect(target.queryValue("model") == "a b+")
        #expect(target.queryValue("none") == nil)
    }

    @Test func keepsPlusInPathsAndQuestionMarksInQueries() throws {
        let target = try RequestTarget("/a+b?x=?y=z")
        #expect(target.segments == ["a+b"])
        #expect(target.query == [QueryItem(name: "x", value: "?y=z")])
        #expect(try RequestTarget("/").segments == [""])
    }

    @Test(arguments: ["/%", "/%4", "/%zz", "/%00", "/%ff", "/?a=%", "/?%C3=1", "/?a=%+1"])
    func refusesMalformedPercentEncoding(target: String) {
        #expect(throws: HTTPParseError.malformedTarget(target)) { try RequestTarget(target) }
    }
}

struct MediaTypeTests {
    @Test func readsTypeAndParameters() throws {
        let type = try #require(MediaType("Multipart/Form-Data ; Boundary=\"a b\\\"c\"; charset=UTF-8;"))
        #expect(type.essence == "multipart/form-data")
        #expect(type.parameter("boundary") == "a b\"c")
        #expect(type.parameter("charset") == "UTF-8")
    }

    @Test(arguments: [
        "", "image", "image/", "/png", "a/b/c", "image/png; x", "image/png; x=", "image/png; x=\"a", "image/p ng",
        "a/b;x=\"\\",
    ])
    func refusesMalformedTypes(text: String) { #expect(MediaType(text) == nil) }
}

struct HTTPDateTests {
    /// Source: `date -u -d @SECONDS`; the first is the example of RFC 9110 §5.6.7.
    @Test(arguments: [
        (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"), (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"), (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT"),
        (1_735_689_599, "Tue, 31 Dec 2024 23:59:59 GMT"), (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
    ])
    func formatsFixdates(seconds: Int, text: String) {
        #expect(String(decoding: HTTPDate.bytes(unixSeconds: seconds), as: UTF8.self) == text)
    }
}

struct ResponseEncoderTests {
    private func encode(
        _ status: HTTPResponse.Status, fields: HTTPFields = [:], stages: [Stage] = [], bodyBytes: Int = 3,
        version: HTTPVersion = .http11, isHead: Bool = false, keepsAlive: Bool = true
    ) -> String {
        var encoder = ResponseEncoder()
        var output: [UInt8] = []
        encoder.appendHead(
            status: status, fields: fields, requestID: "id-1", stages: stages, bodyBytes: bodyBytes,
            framing: ResponseFraming(version: version, isHead: isHead, keepsAlive: keepsAlive),
            unixSeconds: 784_111_777,
            to: &output)
        return String(decoding: output, as: UTF8.self)
    }

    @Test func writesStatusAndFields() {
        let stages = [Stage(name: "read", seconds: 0.0012345), Stage(name: "decode", seconds: 1)]
        #expect(
            encode(.ok, fields: [.contentType: "text/plain"], stages: stages)
                == "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 3\r\nX-Request-Id: id-1\r\n"
                + "Server-Timing: read;dur=1.234, decode;dur=1000.000\r\nContent-Type: text/plain\r\n\r\n")
    }

    @Test func saysWhetherTheConnectionStaysOpen() {
        #expect(!encode(.ok).contains("Connection"))
        #expect(encode(.ok, keepsAlive: false).contains("\r\nConnection: close\r\n"))
        #expect(encode(.ok, version: .http10).contains("\r\nConnection: keep-alive\r\n"))
    }

    @Test func leavesOutWhatTheStatusForbids() {
        #expect(!encode(.noContent, bodyBytes: 0).contains("Content-Length"))
        let framing = ResponseFraming(version: .http11, isHead: false, keepsAlive: true)
        #expect(!ResponseEncoder.carriesBody(.noContent, framing: framing))
        #expect(ResponseEncoder.carriesBody(.ok, framing: framing))
        #expect(!ResponseEncoder.carriesBody(.ok, framing: .init(version: .http11, isHead: true, keepsAlive: true)))
    }

    @Test func doesNotLetAnswersSplitOrFrameThemselves() {
        let text = encode(
            .ok, fields: [.contentLength: "4711", .connection: "x", .date: "y", .location: "/\r\nSet-Cookie: a"])
        #expect(!text.contains("4711") && !text.contains("Connection") && !text.contains("\r\nSet-Cookie"))
    }

    @Test func followsTheClock() {
        var encoder = ResponseEncoder()
        var output: [UInt8] = []
        for seconds in [0, 0, 1] {
            encoder.appendHead(
                status: .ok, fields: [:], requestID: "a", stages: [], bodyBytes: 0,
                framing: .init(version: .http11, isHead: false, keepsAlive: true), unixSeconds: seconds, to: &output)
        }
        let text = String(decoding: output, as: UTF8.self)
        #expect(text.split(separator: "00:00:00").count == 3 && text.contains("00:00:01"))
    }
}

struct MultipartParserTests {
    private func parse(_ text: String, boundary: String = "b") throws -> [(MultipartPart, String)] {
        let body = Array(text.utf8)
        return try MultipartParser(boundary: boundary).parse(body).map {
            ($0, String(decoding: body[$0.content], as: UTF8.self))
        }
    }

    @Test func findsPartsBetweenPreambleAndEpilogue() throws {
        let parts = try parse(
            "preamble\r\n--b\r\nContent-Disposition: form-data; name=\"a\"; filename=\"x.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n"
                + "one\r\n--bx\r\n\r\n--b \t\r\n\r\ntwo\r\r\n--b\r\nContent-Disposition: form-data; name=c\r\n\r\n\r\n--b--epilogue"
        )
        #expect(parts.map(\.1) == ["one\r\n--bx\r\n", "two\r", ""])
        #expect(parts.map(\.0.name) == ["a", nil, "c"])
        #expect(parts[0].0.filename == "x.jpg")
        #expect(parts[0].0.fields[.contentType] == "image/jpeg")
    }

    @Test func takesABodyThatBeginsWithItsBoundary() throws {
        #expect(try parse("--b\r\n\r\nx\r\n--b--\r\n").map(\.1) == ["x"])
        #expect(try parse("--b--").isEmpty)
        // The header section's line end is the next boundary's.
        #expect(try parse("--b\r\n\r\n--b--").map(\.1) == [""])
    }

    @Test(arguments: [
        ("", MultipartError.missingBoundary), ("-", .missingBoundary), ("x--b\r\n\r\n", .missingBoundary),
        ("--b\r\n\r\nx", .missingClosingBoundary(partsRead: 0)), ("--b\r\nA: b", .missingClosingBoundary(partsRead: 0)),
        ("--b\r\n\r\nx\r\n--b\r\n\r\ny\r\n--b-", .missingClosingBoundary(partsRead: 1)),
        ("--b\r\nnonsense\r\n\r\nx\r\n--b--", .malformedHeader(part: 0, line: "nonsense")),
        ("--b\r\nA b: c\r\n\r\nx\r\n--b--", .malformedHeader(part: 0, line: "A b: c")),
        ("--b\r\nA: b\nC: d\r\n\r\nx\r\n--b--", .malformedHeader(part: 0, line: "A: b")),
    ])
    func refuses(body: String, error: MultipartError) {
        #expect(throws: error) { try parse(body) }
    }

    @Test func refusesTooManyPartsAndTooLargeHeaders() throws {
        var parser = try MultipartParser(boundary: "b")
        parser.maximumPartCount = 2
        parser.maximumHeaderBytes = 10
        let part = "--b\r\n\r\nx\r\n"
        #expect(try parser.parse(Array((part + part + "--b--").utf8)).count == 2)
        #expect(throws: MultipartError.tooManyParts(maximum: 2)) {
            try parser.parse(Array((part + part + part + "--b--").utf8))
        }
        #expect(throws: MultipartError.headerTooLarge(part: 0, maximum: 10)) {
            try parser.parse(Array("--b\r\nAbcdef: ghijkl\r\n\r\nx\r\n--b--".utf8))
        }
    }

    @Test(arguments: ["", "a ", "a\"b", String(repeating: "a", count: 71), "a\u{e9}"])
    func refusesMalformedBoundaries(boundary: String) {
        #expect(throws: MultipartError.malformedBoundary(boundary)) { try MultipartParser(boundary: boundary) }
    }

    @Test func neverTrapsOnAnyPrefix() throws {
        let body = Array("--b\r\nA: b\r\n\r\nx\r\n--b\r\n\r\ny\r\n--b--".utf8)
        for count in 0..<body.count {
            #expect(throws: MultipartError.self) { try MultipartParser(boundary: "b").parse(Array(body[..<count])) }
        }
    }
}
