import HTTPTypes
import TestSupport
import Testing
import Transport

@testable import HTTPServer

/// Whom a request comes from, by what proxies say.
struct TrustedProxiesTests {
    /// 10.0.0.0/8 and one address of IPv6, which stand for our proxies.
    static let proxies = TrustedProxies(["10.0.0.0/8", "2001:db8::5"].map { AddressRange($0)! })

    private static func client(
        _ fields: [(String, String)], peer: String = "10.0.0.1", isSecure: Bool = false
    ) throws -> Client {
        var all: HTTPFields = [:]
        for (name, value) in fields { all.append(HTTPField(name: HTTPField.Name(name)!, value: value)) }
        let address = SocketAddress(address: try #require(IPAddress(peer)), port: 4711)
        return proxies.client(of: all, peer: address, isSecure: isSecure)
    }

    static let told: [(fields: [(String, String)], client: String)] = [
        ([], "10.0.0.1"),
        ([("X-Forwarded-For", "203.0.113.7")], "203.0.113.7"),
        ([("Forwarded", "for=203.0.113.7")], "203.0.113.7"),
        ([("Forwarded", #"for="[2001:db8::7]:4711";proto=https"#)], "2001:db8::7"),
        // The last that is none of ours: what stands before it anybody may have written.
        ([("X-Forwarded-For", "127.0.0.1, 203.0.113.7")], "203.0.113.7"),
        ([("X-Forwarded-For", "127.0.0.1, 203.0.113.7, 10.0.0.9, 2001:db8::5")], "203.0.113.7"),
        ([("Forwarded", "for=127.0.0.1, for=203.0.113.7, for=10.0.0.9")], "203.0.113.7"),
        ([("X-Forwarded-For", "127.0.0.1"), ("X-Forwarded-For", "203.0.113.7")], "203.0.113.7"),
        ([("X-Forwarded-For", "::ffff:203.0.113.7, ::ffff:10.0.0.9")], "203.0.113.7"),
        // All ours: whoever was first.
        ([("X-Forwarded-For", "10.0.0.8, 10.0.0.9")], "10.0.0.8"),
        // A proxy that does not tell, and one that writes what is no address.
        ([("X-Forwarded-For", "203.0.113.7, unknown")], "unknown"),
        ([("Forwarded", "for=203.0.113.7, for=_shop.1")], "_shop.1"),
        ([("Forwarded", "proto=https")], "unknown"),
        ([("X-Forwarded-For", "203.0.113.7, 999.1.1.1, 10.0.0.9")], "unknown"),
        ([("X-Forwarded-For", "<script>")], "unknown"),
        // Nothing said.
        ([("X-Forwarded-For", " , ")], "10.0.0.1"), ([("Forwarded", "")], "10.0.0.1"),
        // Both.
        ([("X-Forwarded-For", "203.0.113.7"), ("Forwarded", "for=203.0.113.7")], "203.0.113.7"),
        ([("X-Forwarded-For", "1.2.3.4, 203.0.113.7"), ("Forwarded", "for=203.0.113.7, for=10.0.0.2")], "203.0.113.7"),
        ([("X-Forwarded-For", "203.0.113.7"), ("Forwarded", "")], "203.0.113.7"),
        ([("X-Forwarded-For", "203.0.113.7"), ("Forwarded", "for=127.0.0.1")], "10.0.0.1"),
        ([("X-Forwarded-For", "127.0.0.1"), ("Forwarded", "for=203.0.113.7")], "10.0.0.1"),
        ([("X-Forwarded-For", "203.0.113.7"), ("Forwarded", "for=unknown")], "10.0.0.1"),
        // A quote that a client has left open, before what the proxy has added.
        ([("Forwarded", #"for="127.0.0.1"#), ("Forwarded", "for=203.0.113.7")], "10.0.0.1"),
        ([("X-Forwarded-For", "203.0.113.7"), ("Forwarded", "\"")], "10.0.0.1"),
        // Fields that are not listened to.
        ([("X-Real-IP", "203.0.113.7"), ("Via", "1.1 a"), ("X-Client-IP", "203.0.113.7")], "10.0.0.1"),
    ]

    @Test(arguments: told) func believesItsProxies(fields: [(String, String)], expected: String) throws {
        let client = try Self.client(fields)
        #expect(client.description == expected && client.isProxied)
    }

    @Test(arguments: told) func believesNobodyElse(fields: [(String, String)], expected: String) throws {
        for peer in ["203.0.113.99", "127.0.0.1", "2001:db8::6", "11.0.0.1"] {
            let client = try Self.client(fields + [("X-Forwarded-Proto", "https")], peer: peer)
            #expect(
                client == Client(identity: .address(try #require(IPAddress(peer))), isSecure: false, isProxied: false))
        }
        #expect(try Self.client(fields, peer: "::ffff:10.0.0.1").isProxied)
    }

    @Test(
        arguments: [
            ([("X-Forwarded-For", "203.0.113.7"), ("X-Forwarded-Proto", "https")], true),
            ([("X-Forwarded-For", "203.0.113.7"), ("X-Forwarded-Proto", "HTTPS")], true),
            ([("X-Forwarded-For", "203.0.113.7"), ("X-Forwarded-Proto", "http")], false),
            // An entry for each address: that of the client's own connection.
            ([("X-Forwarded-For", "203.0.113.7, 10.0.0.2"), ("X-Forwarded-Proto", "https, http")], true),
            ([("X-Forwarded-For", "1.1.1.1, 203.0.113.7"), ("X-Forwarded-Proto", "https, http")], false),
            ([("X-Forwarded-For", "203.0.113.7, 10.0.0.2"), ("X-Forwarded-Proto", "https")], true),
            ([("Forwarded", "for=203.0.113.7;proto=https, for=10.0.0.2;proto=http")], true),
            ([("Forwarded", "for=1.1.1.1;proto=https, for=203.0.113.7;proto=http")], false),
            // Both: one that says less leaves it to the other, and contradiction is no encryption.
            ([("Forwarded", "for=203.0.113.7;proto=https"), ("X-Forwarded-For", "203.0.113.7")], true),
            (
                [
                    ("Forwarded", "for=203.0.113.7;proto=https"), ("X-Forwarded-For", "203.0.113.7"),
                    ("X-Forwarded-Proto", "http"),
                ], false
            ),
            ([("X-Forwarded-For", "203.0.113.7"), ("X-Forwarded-Proto", "wss")], false),
        ] as [([(String, String)], Bool)])
    func tellsWhetherTheClientsConnectionIsEncrypted(fields: [(String, String)], isSecure: Bool) throws {
        #expect(try Self.client(fields).isSecure == isSecure)
    }

    @Test func aConnectionThatNoProxyTellsOfIsAsItIs() throws {
        for isSecure in [false, true] {
            #expect(try Self.client([("X-Forwarded-For", "203.0.113.7")], isSecure: isSecure).isSecure == isSecure)
            #expect(try Self.client([], peer: "203.0.113.9", isSecure: isSecure).isSecure == isSecure)
        }
    }

    @Test func withoutProxiesThePeerIsTheClient() throws {
        let peer = SocketAddress(address: try #require(IPAddress("127.0.0.1")), port: 1)
        let fields: HTTPFields = [.xForwardedFor: "203.0.113.7"]
        let client = TrustedProxies().client(of: fields, peer: peer, isSecure: false)
        #expect(client.description == "127.0.0.1" && !client.isProxied)
        #expect(TrustedProxies().client(of: fields, peer: nil, isSecure: true).description == "unknown")
    }

    /// To handlers and to who lets them in alike, of every request of a connection by itself.
    @Test func handlersAreToldOfTheClient() throws {
        let asked = Signal<Client>()
        let gate = TestServer.Gate { question in
            asked.send(question.client)
            return .granted(keyName: nil)
        }
        let test = try TestServer(gate: gate, trustedProxies: TrustedProxies([AddressRange("127.0.0.0/8")!]))
        defer { test.stop() }
        let client = try test.client()
        for address in ["203.0.113.7", "2001:db8::1"] {
            let answer = try client.exchange("GET", "/client", fields: [("X-Forwarded-For", address)])
            #expect(answer.text == "\(address) proxied" && asked.wait()?.description == address)
            let other = try client.exchange("POST", "/client", fields: [("X-Forwarded-For", address)], body: [1])
            #expect(other.text == "\(address) proxied" && asked.wait()?.description == address)
        }
        #expect(try client.exchange("GET", "/client").text == "127.0.0.1 proxied")
    }
}
