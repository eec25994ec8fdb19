import Testing

@testable import HTTP

/// `Forwarded` and `X-Forwarded-For`.
struct ForwardedNodeTests {
    /// The first ones are the examples of RFC 7239 §4, §6.1 and §7.1.
    static let lists: [(text: String, nodes: [ForwardedNode])] = [
        (#"for="_gazonk""#, [.obfuscated("_gazonk")]),
        (#"For="[2001:db8:cafe::17]:4711""#, [.address("2001:db8:cafe::17")]),
        ("for=192.0.2.60;proto=http;by=203.0.113.43", [.address("192.0.2.60")]),
        ("for=192.0.2.43, for=198.51.100.17", [.address("192.0.2.43"), .address("198.51.100.17")]),
        (#"for="192.0.2.43:47011""#, [.address("192.0.2.43")]),
        (#"for=_hidden, for=_SEVKISEK"#, [.obfuscated("_hidden"), .obfuscated("_SEVKISEK")]),
        (
            #"for=192.0.2.43, for="[2001:db8:cafe::17]", for=unknown"#,
            [.address("192.0.2.43"), .address("2001:db8:cafe::17"), .unknown]
        ),
        // What the grammar allows beside them.
        ("", []), (" , ,", []),
        ("proto=HTTPS", [.unknown]),
        (";;for=192.0.2.1;", [.address("192.0.2.1")]),
        (#"for="_a:_b""#, [.obfuscated("_a")]),
        (#"for="\1\92.0.2.1""#, [.address("192.0.2.1")]),
        (#"secret="a, b;c=\"d\"";for=192.0.2.1"#, [.address("192.0.2.1")]),
        ("for=192.0.2.1; proto=https ;x=y , for=_b", [.address("192.0.2.1"), .obfuscated("_b")]),
        // Values that are no node.
        ("for=localhost", [.unknown]), ("for=_", [.unknown]), (#"for="""#, [.unknown]),
        (#"for="_a b""#, [.unknown]), (#"for="[::1""#, [.unknown]), (#"for="[::1]x""#, [.unknown]),
        (#"for="[]""#, [.unknown]), (#"for="2001:db8::1""#, [.unknown]),
        (#"for="192.0.2.1:""#, [.unknown]), (#"for="192.0.2.1:123456""#, [.unknown]),
        ("for=_" + String(repeating: "a", count: 64), [.unknown]),
        (#"for="192.0.2.1\r""#, [.unknown]), (#"for="[::\0001]""#, [.address("::0001")]),
    ]

    @Test(arguments: lists) func readsForwarded(text: String, nodes: [ForwardedNode]) {
        #expect(ForwardedNode.forwarded(text, last: 100) == nodes)
    }

    @Test(
        arguments: [
            "for", "for=", "=192.0.2.1", "for =192.0.2.1", "for= 192.0.2.1", "for=192.0.2.1:80", "for=[::1]",
            #"for="192.0.2.1"#, #"for="192.0.2.1\"#, #"for="a"b"#, "for=a b", "for=a;for=b", "for=a;FOR=a", "for=a/b",
            "192.0.2.1", "for=192.0.2.1, \"", "for=ä",
        ]) func refusesWhatIsMalformed(text: String)
    {
        #expect(ForwardedNode.forwarded(text, last: 100) == nil)
    }

    @Test(
        arguments: [
            ("203.0.113.7", [.address("203.0.113.7")]), ("", []), (" ,\t, ", []),
            (
                "192.0.2.1,10.0.0.1 , 2001:db8::1",
                [.address("192.0.2.1"), .address("10.0.0.1"), .address("2001:db8::1")]
            ),
            (
                "192.0.2.1:4711, [2001:db8::1]:4711, [2001:db8::2]",
                [.address("192.0.2.1"), .address("2001:db8::1"), .address("2001:db8::2")]
            ),
            ("unknown, _me, localhost", [.unknown, .obfuscated("_me"), .unknown]),
            ("fe80::1%eth0", [.unknown]), ("\"192.0.2.1\"", [.unknown]), ("for=192.0.2.1", [.unknown]),
            ("::ffff:192.0.2.1", [.address("::ffff:192.0.2.1")]), ("1:2", [.address("1")]),
            ("192.0.2.1 192.0.2.2", [.unknown]), ("<script>", [.unknown]),
        ] as [(String, [ForwardedNode])])
    func readsXForwardedFor(text: String, nodes: [ForwardedNode]) {
        #expect(ForwardedNode.forwardedFor(text, last: 100) == nodes)
    }

    @Test(arguments: 1...4) func keepsTheLastOnes(count: Int) {
        let all: [ForwardedNode] = [.address("192.0.2.1"), .address("192.0.2.2"), .obfuscated("_c")]
        let expected = Array(all.suffix(count))
        #expect(ForwardedNode.forwarded("for=192.0.2.1,,for=192.0.2.2 , for=_c,", last: count) == expected)
        #expect(ForwardedNode.forwardedFor("192.0.2.1,,192.0.2.2 , _c,", last: count) == expected)
        // What is not kept is read all the same: a quote that it leaves open would reach into what is.
        #expect(ForwardedNode.forwarded("for=\"192.0.2.1, for=192.0.2.2", last: count) == nil)
    }
}
