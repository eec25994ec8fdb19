import HTTPServer
import TestSupport
import Testing

@testable import Classification

/// The service with TLS, keys, an admin address and pages of other origins.
struct OpenNetworkTests {
    let identity: TestIdentity
    let user = NewAPIKey(name: "user", rights: [.inference])
    let operations = NewAPIKey(name: "ops", rights: [.admin])

    init() throws {
        identity = try TestIdentity()
        try identity.directory.write("\(user.line)\n\(operations.line)\n".utf8, to: "keys")
    }

    private var keysPath: String { "\(identity.directory.path)/keys" }

    private func service(_ change: (inout Settings) -> Void = { _ in }) throws -> TestService {
        try TestService {
            $0.tlsCertificate = identity.chainPath
            $0.tlsKey = identity.keyPath
            change(&$0)
        }
    }

    private func bearer(_ key: NewAPIKey) -> [(name: String, value: String)] {
        [("Authorization", "Bearer \(key.key)")]
    }

    private func port(_ url: String?) throws -> Int {
        try #require(url?.split(separator: ":").last.flatMap { Int($0) })
    }

    // MARK: TLS

    @Test func classifiesOverTLS() throws {
        let plain = try TestService()
        defer { plain.stop() }
        let test = try service()
        defer { test.stop() }
        #expect(test.service.url == "https://127.0.0.1:\(test.port)")
        let image = try Upload.jpeg("420")
        let client = try RawClient(port: test.port, tls: identity.options())
        let answer = try client.exchange("POST", "/v1/classify", body: image)
        #expect(answer.status == 200)
        #expect(try answer.text == plain.classify(image).text)
        let page = MetricsPage(try client.exchange("GET", "/metrics").text)
        #expect(page["swiftlet_tls_handshakes_total{result=\"full\"}"] == 1)
        #expect(page["swiftlet_tls_handshakes_total{result=\"failed\"}"] == 0)
        #expect((page["swiftlet_tls_certificate_expiry_timestamp_seconds"] ?? 0) > 1e9)
        #expect(try test.exchange("GET", "/livez").decoded(Problem.self).detail.contains("use https"))
    }

    @Test func startsOnlyWithFilesThatWork() throws {
        func failure(_ change: (inout Settings) -> Void) throws -> String {
            "\(try #require(throws: (any Error).self) { try TestService.make(RecordingLog(), change) })"
        }
        #expect(try failure { $0.tlsCertificate = "/nonexistent.pem" }.contains("/nonexistent.pem"))
        #expect(try failure { $0.tlsKey = "key.pem" }.contains("'tlsCertificate'"))
        #expect(try failure { $0.tlsClientCa = "ca.pem" }.contains("'tlsCertificate'"))
        #expect(try failure { $0.adminTls = "on" }.contains("'tlsCertificate'"))
        #expect(try failure { $0.apiKeysFile = "/nonexistent" }.contains("/nonexistent"))
    }

    @Test func warnsOfACertificateThatIsNotValid() throws {
        for (seconds, words) in [(-7200, "expired 0 days ago"), (3 * 86_400 + 60, "expires in 3 days")] {
            try identity.write(TestCertificate("localhost", issuer: identity.authority, validSeconds: seconds))
            let test = try service()
            defer { test.stop() }
            #expect(test.log.complaints.contains { $0.contains(words) }, "\(test.log.complaints)")
        }
    }

    @Test func asksForClientCertificates() throws {
        let test = try service { $0.tlsClientCa = identity.authorityPath }
        defer { test.stop() }
        let client = try RawClient(
            port: test.port, tls: identity.options { $0.identity = TestCertificate("c", issuer: identity.authority) })
        #expect(try client.exchange("GET", "/readyz").status == 200)
        #expect(throws: TLSClientError.self) {
            try RawClient(port: test.port, tls: identity.options()).exchange("GET", "/readyz")
        }
    }

    // MARK: Reload

    @Test func readsCertificateAndKeysAgain() throws {
        let test = try service { $0.apiKeysFile = keysPath }
        defer { test.stop() }
        let open = try RawClient(port: test.port, tls: identity.options())
        #expect(try open.exchange("GET", "/v1/models", fields: bearer(user)).status == 200)
        let renewed = try TestIdentity()
        try identity.directory.write(renewed.certificate.certificatePEM, to: "chain.pem")
        try identity.directory.write(renewed.certificate.keyPEM, to: "key.pem")
        let later = NewAPIKey(name: "later", rights: [.inference])
        try identity.directory.write(later.line.utf8, to: "keys")
        test.service.reloadCredentials()
        #expect(test.log.complaints.isEmpty)
        // The connection goes on; the key it came with does not.
        #expect(try open.exchange("GET", "/v1/models", fields: bearer(user)).status == 401)
        #expect(try open.exchange("GET", "/v1/models", fields: bearer(later)).status == 200)
        #expect(throws: TLSClientError.self) { try RawClient(port: test.port, tls: identity.options()) }
        #expect(try RawClient(port: test.port, tls: renewed.options()).exchange("GET", "/livez").status == 200)
    }

    @Test func keepsTheOldWhereTheNewIsBroken() throws {
        let test = try service { $0.apiKeysFile = keysPath }
        defer { test.stop() }
        try identity.write(identity.certificate, key: TestCertificate("other"))
        try identity.directory.write("nonsense".utf8, to: "keys")
        test.service.reloadCredentials()
        #expect(test.log.complaints.count == 2)
        let client = try RawClient(port: test.port, tls: identity.options())
        #expect(try client.exchange("GET", "/v1/models", fields: bearer(user)).status == 200)
    }

    // MARK: Keys

    @Test func asksForAKeyWhereItMatters() throws {
        let test = try TestService { $0.apiKeysFile = keysPath }
        defer { test.stop() }
        let client = try test.client()
        let image = try Upload.jpeg("420")
        for (method, path, body) in [
            ("POST", "/v1/classify", image), ("GET", "/v1/models", nil), ("GET", "/v1/models/lite", nil),
        ] as [(String, String, [UInt8]?)] {
            let refused = try client.exchange(method, path, body: body)
            #expect(refused.status == 401 && refused["www-authenticate"] == "Bearer realm=\"swiftlet\"")
            let problem: Problem = try refused.decoded()
            #expect(problem.status == 401 && problem.title == "Unauthorized" && problem.detail.contains("Bearer KEY"))
            let wrong = try client.exchange(method, path, fields: [("Authorization", "Bearer wrong")], body: body)
            #expect(wrong.status == 401 && wrong["www-authenticate"]?.contains("invalid_token") == true)
            let other = try client.exchange(method, path, fields: bearer(operations), body: body)
            #expect(other.status == 403 && other.text.contains("'ops'") && other.text.contains("'inference'"))
            #expect(try client.exchange(method, path, fields: bearer(user), body: body).status == 200)
        }
        for path in ["/livez", "/readyz", "/metrics"] { #expect(try client.exchange("GET", path).status == 200) }
        let page = try test.metrics()
        #expect(page.requests("/v1/classify", 401) == 2 && page.requests("/v1/classify", 403) == 1)
    }

    @Test func refusesBelowV2InItsOwnWords() throws {
        var router = Router()
        router.add(.post, "/v2/models/{name}/infer", access: .inference) { $1.respond(Response()) }
        let keys = KeyRing(try APIKeys(path: keysPath))
        let server = Server(
            configuration: ServerConfiguration(),
            listeners: [
                Listener(
                    host: "127.0.0.1", port: 0, router: router,
                    authorizer: AccessPolicy(keys: keys, isAdminAddress: false).decide, maximumConnections: 10)
            ], errorBody: serviceErrorBody)
        let client = try RawClient(port: server.start().port)
        try client.send("POST /v2/models/a/infer HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n")
        let refused = try client.receive()
        #expect(refused.status == 401 && refused["content-type"] == "application/json")
        #expect(refused.text == "{\"error\":\"This needs a key: Authorization: Bearer KEY.\"}")
        let done = Signal<DrainReport>()
        server.finishDrain { done.send($0) }
        #expect(done.wait() != nil)
    }

    // MARK: The admin address

    @Test func takesAdministrationOffTheMainPort() throws {
        let test = try service {
            $0.adminAddress = "127.0.0.1:0"
            $0.apiKeysFile = keysPath
        }
        let url = try #require(test.service.adminURL)
        #expect(url.hasPrefix("http://127.0.0.1:"))
        let admin = try RawClient(port: port(url))
        #expect(try admin.exchange("GET", "/metrics").text.contains("swiftlet_build_info"))
        for path in ["/livez", "/readyz"] { #expect(try admin.exchange("GET", path).status == 200) }
        #expect(try admin.exchange("POST", "/v1/classify", body: Upload.jpeg("420")).status == 404)
        let main = try RawClient(port: test.port, tls: identity.options())
        #expect(try main.exchange("GET", "/metrics").status == 404)
        #expect(try main.exchange("GET", "/livez").status == 200)
        test.service.beginDrain()
        let draining = try admin.exchange("GET", "/readyz")
        #expect(draining.status == 503 && draining["connection"] == "close")
        #expect(test.stop() != nil)
        #expect(throws: RawClientError.self) { try RawClient(port: port(url)) }
    }

    @Test func speaksTLSThereToo() throws {
        let test = try service {
            $0.adminAddress = "127.0.0.1:0"
            $0.adminTls = "on"
        }
        defer { test.stop() }
        let url = try #require(test.service.adminURL)
        #expect(url.hasPrefix("https://"))
        let admin = try RawClient(port: port(url), tls: identity.options())
        #expect(try admin.exchange("GET", "/metrics").status == 200)
    }

    @Test func anAdminAddressThatIsTakenIsNamed() throws {
        let other = try TestService()
        defer { other.stop() }
        let error = try #require(throws: ServiceStartError.self) {
            try TestService { $0.adminAddress = "127.0.0.1:\(other.port)" }
        }
        #expect("\(error)".contains("port \(other.port)"))
    }

    @Test(
        arguments: [
            ("127.0.0.1:9090", "127.0.0.1", 9090), ("[::1]:0", "::1", 0), ("localhost:65535", "localhost", 65535),
        ])
    func readsAnAddress(text: String, host: String, port: Int) throws {
        let address = try #require(ListenAddress(text))
        #expect(address.host == host && address.port == port)
    }

    // MARK: Proxies

    /// Whatever it passes on: a proxy on the same machine is trusted to name clients, and makes none of them local.
    @Test func nobodyIsLocalBehindATrustedProxy() throws {
        let index = "/v2/repository/index"
        let direct = try TestService()
        defer { direct.stop() }
        #expect(try direct.exchange("POST", index, body: []).status == 200)
        let proxied = try TestService { $0.trustedProxies = ["127.0.0.0/8", "::1"] }
        defer { proxied.stop() }
        let forgeries: [[(name: String, value: String)]] = [
            [], [("X-Forwarded-For", "127.0.0.1")], [("X-Forwarded-For", "::1")], [("Forwarded", "for=127.0.0.1")],
            [("Forwarded", #"for="[::1]""#), ("X-Forwarded-For", "::1")], [("X-Forwarded-For", "")],
        ]
        for fields in forgeries {
            #expect(try proxied.exchange("POST", index, fields: fields, body: []).status == 403, "\(fields)")
            if !fields.isEmpty { #expect(try direct.exchange("POST", index, fields: fields, body: []).status == 403) }
        }
    }

    // MARK: Pages of other origins

    @Test func letsAllowedPagesAskAndRead() throws {
        let test = try TestService { $0.corsAllowedOrigins = ["https://app.example"] }
        defer { test.stop() }
        let client = try test.client()
        let origin = [(name: "Origin", value: "https://app.example")]
        let preflight = try client.exchange(
            "OPTIONS", "/v1/classify",
            fields: origin + [
                ("Access-Control-Request-Method", "POST"),
                ("Access-Control-Request-Headers", "authorization,content-type,x-request-deadline-ms"),
            ])
        #expect(preflight.status == 204 && preflight["access-control-allow-methods"] == "OPTIONS, POST")
        let allowed = preflight["access-control-allow-headers"]?.lowercased() ?? ""
        for field in ["authorization", "content-type", "x-request-deadline-ms", "x-request-id", "x-request-priority"] {
            #expect(allowed.contains(field))
        }
        let answer = try client.exchange("POST", "/v1/classify", fields: origin, body: Upload.jpeg("420"))
        #expect(answer.status == 200 && answer["access-control-allow-origin"] == "https://app.example")
        #expect(answer["access-control-expose-headers"]?.contains("X-Request-Id") == true)
    }
}
