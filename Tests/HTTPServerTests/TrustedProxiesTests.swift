import HTTPTypes
import TestSupport
import Testing
import Transport

@testable import HTTPServer

/// Whom a request comes from, by what proxies say.
struct TrustedProxiesTests {
    /// 10.0.0.0/8 and one address of IPv6, which stand for our proxies.
    static let proxies = TrustedProxies(["10.0.0.0/8", "2001:db8::5"].map { AddressRange($0)! })

    private static func origin(_ fields: [(String, String)], peer: String = "10.0.0.1") throws -> RequestOrigin {
        var all: HTTPFields = [:]
        for (name, value) in fields { all.append(HTTPField(name: HTTPField.Name(name)!, value: value)) }
        let address = SocketAddress(address: try #require(IPAddress(peer)), port: 4711)
        return RequestOrigin(peer: address, proxies: proxies, fields: all)
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
        let origin = try Self.origin(fields)
        #expect(origin.client.description == expected && origin.isProxied)
    }

    @Test(arguments: told) func believesNobodyElse(fields: [(String, String)], expected: String) throws {
        for peer in ["203.0.113.99", "127.0.0.1", "2001:db8::6", "11.0.0.1"] {
            let origin = try Self.origin(fields, peer: peer)
            #expect(origin.client == .address(try #require(IPAddress(peer))) && !origin.isProxied)
        }
        #expect(try Self.origin(fields, peer: "::ffff:10.0.0.1").isProxied)
    }

    /// A row of our own proxies is followed so far and no farther.
    @Test(arguments: [("X-Forwarded-For", ""), ("Forwarded", "for=")]) func looksAtSoManyHops(
        name: String, prefix: String
    ) throws {
        let ours = (1..<TrustedProxies.maximumHops).map { "10.0.1.\($0)" }
        func client(_ hops: [String]) throws -> String {
            let list = hops.map { prefix + $0 }.joined(separator: ", ")
            return try Self.origin([(name, list)]).client.description
        }
        #expect(try client(["203.0.113.7"] + ours) == "203.0.113.7")
        #expect(try client(["203.0.113.7", "10.0.2.1"] + ours) == "10.0.2.1")
        #expect(try client(Array(repeating: "203.0.113.8", count: 500) + ["203.0.113.7", "10.0.0.2"]) == "203.0.113.7")
    }

    @Test func withoutProxiesThePeerIsTheClient() throws {
        let peer = SocketAddress(address: try #require(IPAddress("127.0.0.1")), port: 1)
        let fields: HTTPFields = [.xForwardedFor: "203.0.113.7"]
        let origin = RequestOrigin(peer: peer, fields: fields)
        #expect(origin.client.description == "127.0.0.1" && !origin.isProxied)
        #expect(RequestOrigin(fields: fields).client.description == "unknown")
    }

    /// To handlers and to who lets them in alike, of every request of a connection by itself.
    @Test func handlersAreToldOfTheClient() throws {
        let asked = Signal<RequestOrigin>()
        let gate = TestServer.Gate { question in
            asked.send(question.origin)
            return .granted(keyName: nil)
        }
        let test = try TestServer(gate: gate, trustedProxies: TrustedProxies([AddressRange("127.0.0.0/8")!]))
        defer { test.stop() }
        let client = try test.client()
        for address in ["203.0.113.7", "2001:db8::1"] {
            let answer = try client.exchange("GET", "/client", fields: [("X-Forwarded-For", address)])
            #expect(answer.text == "\(address) proxied" && asked.wait()?.client.description == address)
            let other = try client.exchange("POST", "/client", fields: [("X-Forwarded-For", address)], body: [1])
            #expect(other.text == "\(address) proxied" && asked.wait()?.client.description == address)
        }
        #expect(try client.exchange("GET", "/client").text == "127.0.0.1 proxied")
    }
}
