import FoundationEssentials
import HTTPServer
import TestSupport
import Testing

@testable import Classification

/// The page at `/`. What it does in a browser, `scripts/check-page` sees to.
struct PageTests {
    @Test func isServedWithAPolicyThatAllowsNothingButItself() throws {
        let test = try TestService()
        defer { test.stop() }
        let page = try test.exchange("GET", "/")
        #expect(page.status == 200 && page["content-type"] == "text/html; charset=utf-8")
        #expect(page["x-content-type-options"] == "nosniff" && page["referrer-policy"] == "no-referrer")
        let text = page.text
        func hash(_ name: String) throws -> String {
            let start = try #require(text.firstRange(of: "<\(name)>")).upperBound
            let end = try #require(text.firstRange(of: "</\(name)>")).lowerBound
            let digits = Array(SHA256.hexadecimal(Array(text[start..<end].utf8)))
            let bytes = stride(from: 0, to: digits.count, by: 2).map { UInt8(String(digits[$0...$0 + 1]), radix: 16)! }
            return "'sha256-\(Data(bytes).base64EncodedString())'"
        }
        let policy = try #require(page["content-security-policy"]).split(separator: "; ").map(String.init)
        #expect(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"))
        #expect(policy.contains("script-src \(try hash("script"))"))
        #expect(policy.contains("style-src \(try hash("style"))"))
        #expect(policy.contains("connect-src 'self'") && policy.contains("img-src blob: data:"))
        #expect(!policy.contains { $0.contains("unsafe") || $0.contains("*") || $0.contains("http") })
    }

    @Test func whatCannotBeReadIsNotCountedAsThePage() throws {
        let test = try TestService()
        defer { test.stop() }
        let client = try test.client()
        try client.send("XX\r\n\r\n")
        #expect(try client.receive().status == 400)
        #expect(try eventually { try test.metrics().requests("unmatched", 400) == 1 })
        #expect(try test.metrics().requests("/", 400) == 0)
    }

    @Test func isOneSmallFileThatLoadsNothing() throws {
        let test = try TestService()
        defer { test.stop() }
        let page = try test.exchange("GET", "/")
        #expect(page.body.count < 40_000)
        let text = page.text
        // One element each, without attributes, is what the policy's hashes are of.
        #expect(text.ranges(of: "<script").count == 1 && text.ranges(of: "<style").count == 1)
        for loading in [" src=", "url(", "@import", " style=", " onclick=", "<link rel=\"stylesheet\""] {
            #expect(!text.contains(loading), "\(loading)")
        }
        let addresses = text.ranges(of: "://").count
        #expect(addresses == text.ranges(of: "http://www.w3.org/2000/svg").count, "addresses elsewhere")
    }

    @Test func isKnownByItsTagAndComesInACoding() throws {
        let test = try TestService()
        defer { test.stop() }
        let plain = try test.exchange("GET", "/")
        let tag = try #require(plain["etag"])
        #expect(plain["cache-control"] == "no-cache")
        let known = try test.exchange("GET", "/", fields: [("If-None-Match", tag)])
        #expect(known.status == 304 && known.body.isEmpty && known["etag"] == tag)
        let coded = try test.exchange("GET", "/", fields: [("Accept-Encoding", "gzip")])
        #expect(coded["content-encoding"] == "gzip" && coded["etag"] == tag)
        #expect(coded.body.count < plain.body.count / 2)
        let head = try test.exchange("HEAD", "/")
        #expect(head.status == 200 && head["content-length"] == String(plain.body.count))
        #expect(try test.metrics().requests("/", 304) == 1)
    }

    @Test func isGoneWhereItIsSwitchedOff() throws {
        let test = try TestService { $0.page = "off" }
        defer { test.stop() }
        #expect(try test.exchange("GET", "/").status == 404)
        #expect(try !test.exchange("GET", "/openapi.json").text.contains("\"/\":"))
        #expect(try test.classify(Upload.jpeg("420")).status == 200)
    }

    @Test func isOpenWhereKeysAreAskedForAndNotOnTheAdminAddress() throws {
        let directory = try TemporaryDirectory()
        let key = NewAPIKey(name: "user", rights: [.inference])
        try directory.write("\(key.line)\n".utf8, to: "keys")
        let test = try TestService {
            $0.apiKeysFile = "\(directory.path)/keys"
            $0.adminAddress = "127.0.0.1:0"
        }
        defer { test.stop() }
        #expect(try test.exchange("GET", "/").status == 200)
        #expect(try test.exchange("GET", "/v1/models").status == 401)
        let port = try #require(test.adminPort)
        #expect(try RawClient(port: port).exchange("GET", "/").status == 404)
    }

    /// The numbers that the page takes from elsewhere.
    @Test func asksForAsManyMapsAsThereAre() {
        let text = String(decoding: PackageResources.page_html, as: UTF8.self)
        #expect(text.contains("const MAPS = \(ImageParameters.maximumMaps);"))
    }
}
