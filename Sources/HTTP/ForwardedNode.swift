/// Whom a proxy has a request from, as one entry of `Forwarded` or `X-Forwarded-For` says.
public enum ForwardedNode: Sendable, Equatable {
    /// The text of an address, without brackets and port. Only its characters have been looked at.
    case address(String)
    /// A name that the proxy has made up, with its underscore.
    case obfuscated(String)
    /// The proxy does not know or tell, or has written something else.
    case unknown
}

extension ForwardedNode {
    /// The last `count` entries of `Forwarded`, the last proxy's last; `unknown` where one has no `for`.
    ///
    /// Blanks around semicolons are taken, as some proxies write them; else the grammar is kept to. An entry that cannot
    /// be read makes all of them unreadable: a quote that is not closed could swallow those behind it.
    ///
    /// - Precondition: `count` is at least 1.
    /// - Returns: nil where the text is malformed, or an entry has two of `for`.
    /// - Complexity: linear in the text, whatever `count` is.
    ///
    /// Source: RFC 7239.
    public static func forwarded(_ text: String, last count: Int) -> [ForwardedNode]? {
        var text = text
        return text.withUTF8 { bytes -> [ForwardedNode]? in
            var nodes: [ForwardedNode] = []
            var index = 0
            while true {
                let start = index
                var node = ForwardedNode.unknown
                guard parseEntry(bytes, &index, into: &node) else { return nil }
                // Empty entries of a list are passed over (RFC 9110 §5.6.1.2).
                if !bytes.part(start..<index).trimmed.isEmpty {
                    if nodes.count == count { nodes.removeFirst() }
                    nodes.append(node)
                }
                guard index < bytes.count else { return nodes }
                index += 1
            }
        }
    }

    /// Reads up to a comma or the end.
    private static func parseEntry(_ bytes: UnsafeBytes, _ index: inout Int, into node: inout ForwardedNode) -> Bool {
        var hasNode = false
        while true {
            skipBlanks(bytes, &index)
            guard index < bytes.count, bytes[index] != ASCII.comma else { return true }
            if bytes[index] == ASCII.semicolon {
                index += 1
                continue
            }
            let start = index
            while index < bytes.count, ASCII.isToken(bytes[index]) { index += 1 }
            guard index > start, index < bytes.count, bytes[index] == ASCII.equals else { return false }
            let name = bytes.part(start..<index)
            index += 1
            guard let value = ParameterizedValue.parseParameterValue(bytes, &index) else { return false }
            if name.equalsIgnoringCase("for") {
                guard !hasNode else { return false }
                hasNode = true
                node = ForwardedNode(value)
            }
            skipBlanks(bytes, &index)
            guard index == bytes.count || bytes[index] == ASCII.comma || bytes[index] == ASCII.semicolon else {
                return false
            }
        }
    }

    private static func skipBlanks(_ bytes: UnsafeBytes, _ index: inout Int) {
        while index < bytes.count, ASCII.isBlank(bytes[index]) { index += 1 }
    }
}

extension ForwardedNode {
    /// A `node` of RFC 7239 §6: an address, one of IPv6 in brackets, `unknown` or `_name`, each with a port or without.
    init(_ text: String) {
        var text = text
        self = text.withUTF8 { Self.parse($0, takesBareVersion6: false) }
    }

    /// The last `count` entries of `X-Forwarded-For`, the last proxy's last. There is no standard for it: addresses of IPv6
    /// come with brackets or without, and either kind with a port.
    public static func forwardedFor(_ text: String, last count: Int) -> [ForwardedNode] {
        var text = text
        return text.withUTF8 { bytes -> [ForwardedNode] in
            var nodes: [ForwardedNode] = []
            var end = bytes.count
            while nodes.count < count, end >= 0 {
                let start = bytes.part(0..<end).lastIndex(of: ASCII.comma).map { $0 + 1 } ?? 0
                let element = bytes.part(start..<end).trimmed
                if !element.isEmpty { nodes.append(parse(element, takesBareVersion6: true)) }
                end = start - 1
            }
            return nodes.reversed()
        }
    }

    private static func parse(_ bytes: UnsafeBytes, takesBareVersion6: Bool) -> ForwardedNode {
        if bytes.first == UInt8(ascii: "[") {
            guard let end = bytes.firstIndex(of: UInt8(ascii: "]")), isPort(bytes.part(end + 1..<bytes.count)) else {
                return .unknown
            }
            return address(bytes.part(1..<end), isVersion6: true)
        }
        let colon = bytes.firstIndex(of: ASCII.colon) ?? bytes.count
        if takesBareVersion6, colon < bytes.count, bytes.part(colon + 1..<bytes.count).contains(ASCII.colon) {
            return address(bytes, isVersion6: true)
        }
        guard isPort(bytes.part(colon..<bytes.count)) else { return .unknown }
        let name = bytes.part(0..<colon)
        // It goes to logs.
        if name.first == UInt8(ascii: "_"), 2...64 ~= name.count, name.allSatisfy(isObfuscated) {
            return .obfuscated(String(decoding: name, as: UTF8.self))
        }
        return address(name, isVersion6: false)
    }

    private static func address(_ bytes: UnsafeBytes, isVersion6: Bool) -> ForwardedNode {
        let isAddress = bytes.allSatisfy {
            ASCII.isDigit($0) || $0 == UInt8(ascii: ".")
                || isVersion6 && ($0 == ASCII.colon || ASCII.hexadecimalValue($0) != nil)
        }
        // The longest there is: IPv6 with the last four bytes written as IPv4.
        guard isAddress, !bytes.isEmpty, bytes.count <= 45 else { return .unknown }
        return .address(String(decoding: bytes, as: UTF8.self))
    }

    /// Nothing, or a colon with digits or a made-up port.
    private static func isPort(_ bytes: UnsafeBytes) -> Bool {
        guard let colon = bytes.first else { return true }
        guard colon == ASCII.colon, bytes.count > 1 else { return false }
        let port = bytes.part(1..<bytes.count)
        if port[0] == UInt8(ascii: "_") { return port.count > 1 && port.allSatisfy(isObfuscated) }
        return port.count <= 5 && port.allSatisfy(ASCII.isDigit)
    }

    private static func isObfuscated(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2E, 0x5F, 0x2D: true
        default: false
        }
    }
}
