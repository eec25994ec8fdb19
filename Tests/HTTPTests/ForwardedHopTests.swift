import Testing

@testable import HTTP

/// `Forwarded` and `X-Forwarded-For`.
struct ForwardedHopTests {
    /// The first ones are the examples of RFC 7239 §4, §6.1 and §7.1.
    static let lists: [(text: String, hops: [ForwardedHop])] = [
        (#"for="_gazonk""#, [hop(.obfuscated("_gazonk"))]),
        (#"For="[2001:db8:cafe::17]:4711""#, [hop(.address("2001:db8:cafe::17"))]),
        ("for=192.0.2.60;proto=http;by=203.0.113.43", [hop(.address("192.0.2.60"), "http")]),
        ("for=192.0.2.43, for=198.51.100.17", [hop(.address("192.0.2.43")), hop(.address("198.51.100.17"))]),
        (#"for="192.0.2.43:47011""#, [hop(.address("192.0.2.43"))]),
        (#"for=_hidden, for=_SEVKISEK"#, [hop(.obfuscated("_hidden")), hop(.obfuscated("_SEVKISEK"))]),
        (
            #"for=192.0.2.43, for="[2001:db8:cafe::17]", for=unknown"#,
            [hop(.address("192.0.2.43")), hop(.address("2001:db8:cafe::17")), hop(.unknown)]
        ),
        // What the grammar allows beside them.
        ("", []), (" , ,", []),
        ("proto=HTTPS", [hop(.unknown, "https")]),
        (";;for=192.0.2.1;", [hop(.address("192.0.2.1"))]),
        (#"for="_a:_b""#, [hop(.obfuscated("_a"))]),
        (#"for="\1\92.0.2.1""#, [hop(.address("192.0.2.1"))]),
        (#"secret="a, b;c=\"d\"";for=192.0.2.1"#, [hop(.address("192.0.2.1"))]),
        ("for=192.0.2.1; proto=https ;x=y , for=_b", [hop(.address("192.0.2.1"), "https"), hop(.obfuscated("_b"))]),
        // Values that are no node.
        ("for=localhost", [hop(.unknown)]), ("for=_", [hop(.unknown)]), (#"for="""#, [hop(.unknown)]),
        (#"for="_a b""#, [hop(.unknown)]), (#"for="[::1""#, [hop(.unknown)]), (#"for="[::1]x""#, [hop(.unknown)]),
        (#"for="[]""#, [hop(.unknown)]), (#"for="2001:db8::1""#, [hop(.unknown)]),
        (#"for="192.0.2.1:""#, [hop(.unknown)]), (#"for="192.0.2.1:123456""#, [hop(.unknown)]),
        ("for=_" + String(repeating: "a", count: 64), [hop(.unknown)]),
        (#"for="192.0.2.1\r""#, [hop(.unknown)]), (#"for="[::\0001]""#, [hop(.address("::0001"))]),
    ]

    private static func hop(_ node: ForwardedNode, _ scheme: String? = nil) -> ForwardedHop {
        ForwardedHop(node: node, scheme: scheme)
    }

    @Test(arguments: lists) func readsForwarded(text: String, hops: [ForwardedHop]) {
        #expect(ForwardedHop.list(text) == hops)
    }

    @Test(
        arguments: [
            "for", "for=", "=192.0.2.1", "for =192.0.2.1", "for= 192.0.2.1", "for=192.0.2.1:80", "for=[::1]",
            #"for="192.0.2.1"#, #"for="192.0.2.1\"#, #"for="a"b"#, "for=a b", "for=a;for=b", "for=a;FOR=a", "for=a/b",
            "192.0.2.1", "for=192.0.2.1, \"", "for=ä", "proto=http;proto=https",
        ]) func refusesWhatIsMalformed(text: String)
    {
        #expect(ForwardedHop.list(text) == nil)
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
        #expect(ForwardedNode.list(text) == nodes)
    }
}
