import HTTPServer
import TestSupport
import Testing

@testable import Classification

/// Bodies with a `Content-Encoding`, and answers with one.
struct CodedBodyTests {
    private static let targets = ["/v1/classify", "/v1/embed", "/v2/models/lite/infer"]

    private func fields(_ target: String, _ more: (name: String, value: String)...) -> [(name: String, value: String)] {
        more + (target.hasPrefix("/v2") ? [(V2.length, "0")] : [])
    }

    @Test(arguments: ContentCoding.allCases) func readsBodiesThatAreEncoded(coding: ContentCoding) throws {
        let test = try TestService()
        defer { test.stop() }
        let picture = try Upload.jpeg("padded")
        let encoded = try #require(coding.encode(picture + [UInt8](repeating: 0, count: 20_000)))
        for target in Self.targets {
            let plain = try test.exchange("POST", target, fields: fields(target), body: picture)
            let response = try test.exchange(
                "POST", target, fields: fields(target, ("Content-Encoding", coding.rawValue)), body: encoded)
            #expect(response.status == 200 && response.body == plain.body)
        }
        let form = Upload.json([picture, picture])
        let response = try test.classify(
            try #require(coding.encode(form)), fields: [("Content-Encoding", coding.rawValue)])
        #expect(try response.decoded(ClassifyAnswer.self).results.count == 2)
    }

    /// It could never be let in, so trying again is not advised.
    @Test(arguments: targets) func refusesWhatHeldAloneWouldBeTooMuch(target: String) throws {
        let test = try TestService { $0.maxHeldBytes = 1 << 20 }
        defer { test.stop() }
        let bomb = try #require(ContentCoding.gzip.encode([UInt8](repeating: 32, count: 4 << 20)))
        let refused = try test.exchange(
            "POST", target, fields: fields(target, ("Content-Encoding", "gzip")), body: bomb)
        #expect(refused.status == 413 && refused["retry-after"] == nil && refused.text.contains("1048576"))
        #expect(try test.metrics().rejections("too_large") == 1)
    }

    @Test func theHeaderLengthCountsDecodedBytes() throws {
        let test = try TestService()
        defer { test.stop() }
        let data = V2.bytes([try Upload.jpeg("420")])
        let json =
            #"{"inputs":[{"name":"input","datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":\#(data.count)}}],"#
            + #""outputs":[{"name":"features","parameters":{"binary_data":true}}]}"#
        let body = Array(json.utf8) + data
        let padded = Array(String(repeating: " ", count: 5000).utf8) + body
        let encoded = try #require(ContentCoding.deflate.encode(padded))
        let path = "/v2/models/lite/infer"
        let plain = try test.infer(json, data)
        let response = try test.exchange(
            "POST", path,
            fields: [
                ("Content-Encoding", "deflate"), ("Accept-Encoding", "gzip"),
                (V2.length, String(json.utf8.count + 5000)),
            ], body: encoded)
        #expect(
            response.status == 200 && response["content-encoding"] == "gzip" && response["vary"] == "Accept-Encoding")
        #expect(response[V2.length.lowercased()] == plain[V2.length.lowercased()])
        var decoded = response
        decoded.body = try ContentCoding.gzip.decode(response.body, maximum: 1 << 20)
        #expect(decoded.body == plain.body)
        #expect(try decoded.inference().numbers("features")?.count == 1280)
    }

    @Test func encodesLongAnswersThatMayBe() throws {
        let test = try TestService()
        defer { test.stop() }
        let picture = try Upload.jpeg("420")
        for (target, accept, coding) in [
            ("/v1/embed", "deflate", ContentCoding.deflate), ("/v1/embed", "br, gzip;q=0.5", .gzip),
        ] {
            let plain = try test.exchange("POST", target, body: picture)
            let response = try test.exchange("POST", target, fields: [("Accept-Encoding", accept)], body: picture)
            #expect(response["content-encoding"] == coding.rawValue && response.body.count < plain.body.count)
            #expect(try coding.decode(response.body, maximum: plain.body.count) == plain.body)
        }
        // Short ones go as they are.
        let short = try test.classify(picture, query: "?top_k=1", fields: [("Accept-Encoding", "gzip")])
        #expect(short.status == 200 && short["content-encoding"] == nil)
        let page = try test.exchange("GET", "/metrics", fields: [("Accept-Encoding", "gzip")])
        #expect(page["content-encoding"] == "gzip")
        let text = String(decoding: try ContentCoding.gzip.decode(page.body, maximum: 1 << 20), as: UTF8.self)
        #expect(MetricsPage(text).requests("/v1/embed", 200) == 4)
    }

    @Test func refusesWhatItCannotDecode() throws {
        let test = try TestService { $0.maxBodyBytes = 100_000 }
        defer { test.stop() }
        let bomb = try #require(ContentCoding.gzip.encode([UInt8](repeating: 0, count: 100_001)))
        #expect(bomb.count < 1000)
        for (coding, body, status, detail) in [
            ("br", [1, 2, 3], 415, "the content coding 'br' is not read, only one of gzip, deflate"),
            ("gzip, gzip", [1], 415, "the content coding 'gzip, gzip' is not read, only one of gzip, deflate"),
            ("gzip", bomb, 413, "the decoded body is longer than 100000 bytes"),
            ("gzip", Array(bomb.dropLast()), 413, "the decoded body is longer than 100000 bytes"),
            ("gzip", Array(bomb.prefix(40)), 400, "the body ends before its gzip data does"),
            ("deflate", bomb, 400, "the body is no zlib data (raw deflate is not read)"),
            ("gzip", [], 400, "the body ends before its gzip data does"),
        ] as [(String, [UInt8], Int, String)] {
            for target in Self.targets {
                let response = try test.exchange(
                    "POST", target, fields: fields(target, ("Content-Encoding", coding)), body: body)
                #expect(response.status == status, "\(coding) \(target)")
                #expect((response["accept-encoding"] == "gzip, deflate") == (status == 415))
                if target.hasPrefix("/v2") {
                    #expect(try response.v2Error() == detail)
                } else {
                    #expect(try response.decoded(Problem.self).detail == detail)
                }
            }
        }
        #expect(try test.metrics().rejections("too_large") == 6)
    }

    @Test func whatIsDecodedCountsAmongTheBytesHeld() throws {
        let test = try TestService { $0.maxHeldBytes = 150_000 }
        defer { test.stop() }
        let large = try #require(ContentCoding.gzip.encode([UInt8](repeating: 32, count: 200_000)))
        let refused = try test.classify(large, fields: [("Content-Encoding", "gzip")])
        #expect(refused.status == 413 && refused["retry-after"] == nil && refused.text.contains("150000"))
        // Nothing of it stays counted.
        for _ in 0..<10 {
            let small = try #require(
                ContentCoding.gzip.encode(Upload.jpeg("420") + [UInt8](repeating: 0, count: 50_000)))
            #expect(try test.classify(small, fields: [("Content-Encoding", "gzip")]).status == 200)
        }
    }

    /// Then it is worth trying again.
    @Test func refusesForNowWhatOthersLeaveNoRoomFor() throws {
        let test = try TestService { $0.maxHeldBytes = 300_000 }
        defer { test.stop() }
        let sending = try test.client()
        try sending.send("POST /v1/classify HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n")
        try sending.send([UInt8](repeating: 0, count: 199_999))
        let large = try #require(
            ContentCoding.gzip.encode(Upload.jpeg("420") + [UInt8](repeating: 32, count: 200_000)))
        // Once the other's bytes have been read.
        #expect(
            try eventually {
                let refused = try test.classify(large, fields: [("Content-Encoding", "gzip")])
                return refused.status == 503 && refused["retry-after"] == "1" && refused["retry-after-ms"] == "1000"
            })
        #expect(try #require(test.metrics().rejections("held_bytes")) == 1)
        try sending.send([0])
        #expect(try sending.receive().status == 415)
        #expect(try test.classify(large, fields: [("Content-Encoding", "gzip")]).status == 200)
    }

    @Test func tensorsInJSONCountAmongTheBytesHeld() throws {
        let test = try TestService { $0.maxHeldBytes = 15_000 }
        defer { test.stop() }
        let numbers = [UInt8](repeating: 7, count: 3 * 32 * 32)
        func infer(_ datatype: String, _ shape: String) throws -> RawResponse {
            try test.infer(
                #"{"inputs":[{"name":"input","datatype":"\#(datatype)","shape":\#(shape),"data":\#(numbers)}]}"#)
        }
        // 9 kB of text, and 3 or 12 kB of numbers.
        let refused = try infer("FP32", "[1,3,32,32]")
        #expect(refused.status == 413 && refused["retry-after"] == nil && refused.text.contains("15000"))
        for _ in 0..<10 { #expect(try infer("UINT8", "[1,32,32,3]").status == 200) }
    }
}
