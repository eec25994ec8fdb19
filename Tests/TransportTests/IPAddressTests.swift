import Testing

@testable import Transport

struct IPAddressTests {
    /// Texts of IPv6 as RFC 5952 §4 wants them written.
    @Test(
        arguments: [
            ("192.0.2.7", "192.0.2.7"), ("0.0.0.0", "0.0.0.0"), ("255.255.255.255", "255.255.255.255"), ("::", "::"),
            ("2001:0DB8:0:0:0:0:0:1", "2001:db8::1"), ("::1", "::1"), ("::ffff:192.0.2.7", "192.0.2.7"),
            ("::FFFF:c000:207", "192.0.2.7"), ("64:ff9b::192.0.2.7", "64:ff9b::c000:207"),
        ])
    func readsAndWritesAddresses(text: String, written: String) throws {
        let address = try #require(IPAddress(text))
        #expect(address.description == written)
        #expect(IPAddress(written) == address)
    }

    @Test(
        arguments: [
            "", "1", "1.2.3", "1.2.3.4.5", "256.0.0.1", "1.2.3.04", "0x1.2.3.4", "127.1", "1.2.3.4 ", " 1.2.3.4",
            "1.2.3.4:80",
            "[::1]", "::1%lo", "::1/128", ":::", "1::2::3", "g::", "localhost", "1.2.3.4\0", "::1\0x",
            String(repeating: "0", count: 100),
        ]) func refusesWhatIsNone(text: String)
    { #expect(IPAddress(text) == nil) }

    @Test(
        arguments: [
            ("127.0.0.1", true), ("127.255.0.9", true), ("::1", true), ("::ffff:127.0.0.1", true), ("128.0.0.1", false),
            ("::2", false), ("::", false), ("0.0.0.0", false),
        ]) func knowsLoopback(text: String, isLoopback: Bool) throws
    {
        #expect(try #require(IPAddress(text)).isLoopback == isLoopback)
    }

    @Test(
        arguments: [
            (
                "10.0.0.0/8", ["10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3"],
                ["11.0.0.0", "9.255.255.255", "::a00:1"]
            ),
            ("192.0.2.7", ["192.0.2.7"], ["192.0.2.6", "192.0.2.8"]),
            ("192.0.2.8/29", ["192.0.2.8", "192.0.2.15"], ["192.0.2.7", "192.0.2.16"]),
            ("0.0.0.0/0", ["1.2.3.4", "255.0.0.0"], ["::1"]), ("::/0", ["::", "ff::"], ["1.2.3.4", "::ffff:1.2.3.4"]),
            ("2001:db8::/33", ["2001:db8:7fff::1"], ["2001:db8:8000::", "2001:db7::"]),
            ("::ffff:192.0.2.7", ["192.0.2.7"], ["192.0.2.8"]), ("fe80::1/128", ["fe80::1"], ["fe80::2"]),
        ])
    func rangesHoldTheirAddresses(text: String, inside: [String], outside: [String]) throws {
        let range = try #require(AddressRange(text))
        for address in inside { #expect(range.contains(try #require(IPAddress(address))), "\(address)") }
        for address in outside { #expect(!range.contains(try #require(IPAddress(address))), "\(address)") }
    }

    @Test(
        arguments: [
            "", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/8/8", "10.0.0.0/8 ",
            "10.1.0.0/8",
            "10.0.0.1/31", "2001:db8::1/64", "::/129", "::ffff:0.0.0.0/96", "::ffff:10.0.0.0/8", "10.0.0.0/255.0.0.0",
            "10/8", "a",
            "10.0.0.0/99999999999999999999",
        ]) func refusesRangesThatAreNone(text: String)
    { #expect(AddressRange(text) == nil) }
}
