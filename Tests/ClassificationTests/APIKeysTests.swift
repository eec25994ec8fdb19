import HTTPServer
import HTTPTypes
import TestSupport
import Testing
import Transport

@testable import Classification

struct APIKeysTests {
    private static let digest = SHA256.hexadecimal(Array("a-key-of-somebody".utf8))

    @Test func findsAKeyByItsDigest() throws {
        let keys = try APIKeys(
            text: """
                # keys of the shop
                shop:inference:\(Self.digest)

                  ops.eu-1:inference,admin:\(SHA256.hexadecimal(Array("another-key".utf8)).uppercased())\r
                shop:inference:\(SHA256.hexadecimal(Array("the-next-key".utf8)))
                """, path: "keys")
        let shop = try #require(keys.entry(of: "a-key-of-somebody".utf8))
        #expect(shop.name == "shop" && shop.rights == [.inference])
        #expect(keys.entry(of: "the-next-key".utf8)?.name == "shop")
        let operations = try #require(keys.entry(of: "another-key".utf8))
        #expect(operations.name == "ops.eu-1" && operations.rights == [.inference, .admin])
        for stranger in ["", "a-key-of-somebod", "a-key-of-somebody ", Self.digest] {
            #expect(keys.entry(of: stranger.utf8) == nil)
        }
    }

    static let faults: [(text: String, words: [String])] = [
        ("", ["keys.txt holds no key", "swiftlet key"]), ("# nothing", ["holds no key"]),
        ("shop:inference", ["line 1", "2 fields"]), ("#\nshop:inference:\(digest):x", ["line 2", "4 fields"]),
        (":inference:\(digest)", ["the name"]), ("a b:inference:\(digest)", ["the name"]),
        ("shop::\(digest)", ["no right is called ''"]), ("shop:root:\(digest)", ["'root'", "inference and admin"]),
        ("shop:inference:\(digest)0", ["64 hexadecimal"]),
        ("shop:inference:+\(digest.dropFirst())", ["64 hexadecimal"]),
        ("shop:inference:a-key-of-somebody", ["64 hexadecimal"]),
        ("shop:inference:\(digest)\nx:admin:\(digest)", ["line 2", "second time"]),
    ]

    @Test(arguments: faults) func namesTheLineThatIsWrong(_ fault: (text: String, words: [String])) throws {
        let error = try #require(
            throws: APIKeysError.self
        ) { try APIKeys(text: fault.text, path: "keys.txt") }
        for word in fault.words { #expect("\(error)".contains(word), "\(error)") }
        // Whatever was put there by mistake is not told on.
        #expect(!"\(error)".contains("a-key-of-somebody"))
    }

    @Test func aMissingFileIsNamed() throws {
        let error = try #require(throws: APIKeysError.self) { try APIKeys(path: "/nonexistent/keys") }
        #expect("\(error)".contains("/nonexistent/keys"))
    }

    @Test func aMadeKeyIsFound() throws {
        let made = NewAPIKey(name: "shop", rights: [.admin, .inference])
        #expect(made.key.hasPrefix("swiftlet_") && made.key.utf8.count == 9 + 43)
        #expect(made.line == "shop:inference,admin:\(SHA256.hexadecimal(Array(made.key.utf8)))")
        #expect(try APIKeys(text: made.line, path: "").entry(of: made.key.utf8)?.name == "shop")
        #expect(NewAPIKey(name: "shop", rights: [.admin]).key != made.key)
    }
}

struct AccessPolicyTests {
    enum Peer { case local, remote, proxied, trusted }

    private static let ring = KeyRing(
        try! APIKeys(
            text: ["user:inference", "ops:admin", "both:inference,admin"].map {
                "\($0):\(SHA256.hexadecimal(Array("key-\($0.prefix { $0 != ":" })".utf8)))"
            }.joined(separator: "\n"), path: ""))

    /// 200 for a request that is let in.
    private func status(
        _ access: RouteAccess, _ peer: Peer, _ authorization: String?, hasKeys: Bool, isAdminAddress: Bool = false
    ) throws -> Int {
        var fields: HTTPFields = [:]
        if let authorization { fields[.authorization] = authorization }
        if peer == .proxied { fields[HTTPField.Name("X-Forwarded-For")!] = "203.0.113.9" }
        let policy = AccessPolicy(keys: hasKeys ? Self.ring : nil, isAdminAddress: isAdminAddress)
        let address = peer == .remote ? SocketAddress.documentation : .loopback
        switch policy.decide(AccessQuestion(access, fields, peer: address, isProxied: peer == .trusted)) {
        case .granted: return 200
        case .refused(let refusal):
            #expect((refusal.status == .unauthorized) <= (refusal.fields[.wwwAuthenticate] != nil))
            #expect(!refusal.detail.contains("key-"))
            return refusal.status.code
        }
    }

    /// A page whose name was made to point at this machine is of the same origin.
    @Test(
        arguments: [
            (nil, true), ("localhost", true), ("LocalHost:8080", true), ("127.0.0.1:8080", true), ("[::1]:8080", true),
            ("[::1]", true), ("evil.example:8080", false), ("evil.example", false), ("localhost.evil.example", false),
            ("127.0.0.1.evil.example:80", false), ("[::1", true), ("[evil.example]:80", false), ("", false),
            (":80", false),
        ])
    func whoCallsTheServerByANameIsNotLocal(authority: String?, isLocal: Bool) {
        let policy = AccessPolicy(keys: nil, isAdminAddress: false)
        let decision = policy.decide(AccessQuestion(.admin, [:], authority: authority, peer: .loopback))
        #expect((decision == .granted(keyName: nil)) == isLocal)
    }

    /// A page can have the operator's browser send this.
    @Test(arguments: ["Origin", "Sec-Fetch-Site", "X-Forwarded-For", "Via", "Forwarded", "X-Real-IP"])
    func whatComesFromElsewhereIsNotLocal(field: String) throws {
        let policy = AccessPolicy(keys: nil, isAdminAddress: false)
        let fields: HTTPFields = [HTTPField.Name(field)!: "https://a.example"]
        let local = policy.decide(AccessQuestion(.admin, [:], peer: .loopback))
        #expect(local == .granted(keyName: nil))
        guard
            case .refused(let refusal) = policy.decide(AccessQuestion(.admin, fields, peer: .loopback))
        else {
            Issue.record("\(field) was let in")
            return
        }
        #expect(refusal.status == .forbidden)
    }

    @Test(
        arguments: [
            (nil, 401), ("Bearer key-user", 200), ("bearer  key-user", 200), ("Bearer key-both", 200),
            ("Bearer key-ops", 403), ("Bearer key-use", 401), ("Bearer", 401), ("Basic key-user", 401),
            ("key-user", 401), ("Bearer key-user x", 401), ("Bearer key-user, Bearer key-user", 401),
        ] as [(String?, Int)])
    func inferenceNeedsAKeyWhereThereAreKeys(authorization: String?, expected: Int) throws {
        for peer in [Peer.local, .remote, .proxied, .trusted] {
            #expect(try status(.inference, peer, authorization, hasKeys: true) == expected)
            #expect(try status(.inference, peer, authorization, hasKeys: false) == 200)
            #expect(try status(.open, peer, authorization, hasKeys: true) == 200)
        }
    }

    @Test(
        arguments: [
            // Without keys: this machine, or whoever reaches the admin address.
            (.local, nil, false, false, 200), (.remote, nil, false, false, 403), (.proxied, nil, false, false, 403),
            (.trusted, nil, false, false, 403),
            (.remote, "Bearer key-ops", false, false, 403), (.remote, nil, false, true, 200),
            // With keys: this machine, or the right.
            (.local, nil, true, false, 200), (.proxied, nil, true, false, 401), (.trusted, nil, true, false, 401),
            (.remote, nil, true, false, 401),
            (.remote, "Bearer key-user", true, false, 403), (.remote, "Bearer key-ops", true, false, 200),
            (.proxied, "Bearer key-both", true, false, 200), (.trusted, "Bearer key-both", true, false, 200),
            (.remote, nil, true, true, 401),
            (.remote, "Bearer key-user", true, true, 403), (.remote, "Bearer key-ops", true, true, 200),
            (.local, nil, true, true, 200),
        ] as [(Peer, String?, Bool, Bool, Int)])
    func administrationIsForThisMachineOrTheRight(
        peer: Peer, authorization: String?, hasKeys: Bool, isAdminAddress: Bool, expected: Int
    ) throws {
        #expect(
            try status(.admin, peer, authorization, hasKeys: hasKeys, isAdminAddress: isAdminAddress) == expected)
    }
}

extension AccessQuestion {
    /// From loopback or not; `isProxied` says whether a trusted proxy listens at the other end, which says that the client
    /// is on this machine.
    fileprivate init(
        _ access: RouteAccess, _ fields: HTTPFields, authority: String? = nil, peer: SocketAddress,
        isProxied: Bool = false
    ) {
        let proxies = TrustedProxies(isProxied ? [AddressRange(peer.host)!] : [])
        let told: HTTPFields = isProxied ? [HTTPField.Name("X-Forwarded-For")!: "127.0.0.1"] : [:]
        self.init(
            access: access, fields: fields, authority: authority,
            origin: RequestOrigin(peer: peer, proxies: proxies, fields: told))
    }
}

extension Bool {
    /// Implication.
    fileprivate static func <= (a: Bool, b: Bool) -> Bool { !a || b }
}
