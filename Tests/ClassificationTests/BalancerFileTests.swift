import HTTPServer
import TestSupport
import Testing

@testable import Classification

/// The files of deploy/haproxy and deploy/nginx agree with the settings' defaults and with the routes. `scripts/fleet` runs them.
struct BalancerFileTests {
    private static let settings = Settings()

    private static func file(_ path: String) throws -> String {
        String(decoding: try Fixtures.bytes("../../deploy/\(path)"), as: UTF8.self)
    }

    private let haproxy: String
    private let nginx: String

    init() throws {
        haproxy = try Self.file("haproxy/haproxy.cfg")
        nginx = try Self.file("nginx/nginx.conf")
    }

    /// The number behind the last of `words`, which stand together on a line that is no comment. Units: as written.
    private func number(_ words: String, in file: String) throws -> Int {
        let lines = file.split(separator: "\n").map { $0.drop { $0 == " " } }.filter { $0.first != "#" }
        let range = try #require(
            lines.lazy.compactMap { line in line.firstRange(of: words).map { line[$0.upperBound...] } }.first)
        return try #require(Int(range.drop { $0 == " " }.prefix { $0.isNumber }))
    }

    @Test func limitsAndTimesFitTheDefaults() throws {
        #expect(try number("{ req.body_size gt", in: haproxy) == Self.settings.maxBodyBytes)
        #expect(try number("client_max_body_size", in: nginx) << 20 == Self.settings.maxBodyBytes)
        // The balancer closes idle connections first.
        #expect(nginx.split(separator: "keepalive_timeout").dropFirst().count == 3)
        #expect(try number("keepalive_timeout", in: nginx) < Self.settings.idleTimeoutSeconds)
        // Replicas answer before a balancer gives up.
        for (words, file) in [("timeout server", haproxy), ("timeout client", haproxy)] {
            #expect(try number(words, in: file) > Self.settings.bodyTimeoutSeconds)
        }
        let server = ServerConfiguration(Self.settings).timeouts
        #expect(try number("client_body_timeout", in: nginx) == server.bodyStallNanoseconds / 1_000_000_000)
        #expect(try number("client_header_timeout", in: nginx) == Self.settings.headerTimeoutSeconds)
        // Two checks, and as long again, fit before the listener closes.
        let checks = try number("check inter", in: haproxy) * 1000 + number("fastinter", in: haproxy)
        #expect(2 * checks < Self.settings.drainDelaySeconds * 1000)
        // A batch for each of two threads.
        #expect(try number("default-server maxconn", in: haproxy) == 2 * Self.settings.maxBatchSize)
    }

    @Test func exactlyTheRoutesThatChangeNothingMayBeRepeated() throws {
        let service = try TestService()
        defer { service.stop() }
        let policy = AccessPolicy(keys: nil, isAdminAddress: false)
        let routes = Routes.router(service.service.context, service.service.models, policy).descriptions
        let location = try #require(
            nginx.firstRange(of: "location ~ ").map { nginx[$0.upperBound...].prefix { $0 != " " } })
        let repeated = try Regex(String(location))
        let posts = routes.filter { $0.method == .post && $0.access == .inference }
        #expect(posts.count >= 4)
        for route in posts {
            let path = route.pattern.replacing(try Regex("\\{[a-z]+\\}"), with: "a")
            #expect(try repeated.wholeMatch(in: path) != nil, "nginx: \(path)")
            let isNamed = haproxy.contains("changes_nothing path /v1/classify /v1/embed\n")
            #expect(
                isNamed && ["/v1/classify", "/v1/embed"].contains(path) || path.hasPrefix("/v2/models/"),
                "HAProxy: \(path)")
        }
        #expect(haproxy.contains("changes_nothing path_beg /v2/models/\n"))
        for route in routes where route.access == .admin || route.pattern == Routes.metrics {
            let isInside = ["/metrics", "/debug", "/v2/repository"].contains { prefix in
                route.pattern.hasPrefix(prefix) && nginx.contains("location ^~ \(prefix) { return 404; }")
            }
            #expect(isInside, "\(route.pattern)")
            #expect(try repeated.wholeMatch(in: route.pattern) == nil)
        }
        #expect(haproxy.contains("path,url_dec -m beg /metrics /debug /v2/repository\n"))
    }
}
