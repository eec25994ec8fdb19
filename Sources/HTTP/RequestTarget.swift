/// One `name=value` of a query, decoded.
public struct QueryItem: Sendable, Equatable {
    public var name: String
    public var value: String

    public init(name: String, value: String) {
        self.name = name
        self.value = value
    }
}

/// A request target taken apart.
///
/// Source: RFC 3986 §3.3 and §3.4; the query as `application/x-www-form-urlencoded` (WHATWG URL §5.1).
public struct RequestTarget: Sendable, Equatable {
    /// The path as it was sent.
    public var path: String
    /// The path's segments, decoded one by one: `/a/b%2Fc` is `["a", "b/c"]`.
    public var segments: [String]
    public var query: [QueryItem]

    /// - Throws: `HTTPParseError.malformedTarget` where a percent sign is not followed by two hexadecimal digits, or
    ///   what is decoded is no UTF-8 or holds NUL.
    public init(_ target: String) throws(HTTPParseError) {
        let bytes = target.utf8
        let question = bytes.firstIndex(of: ASCII.question)
        let pathBytes = bytes[..<(question ?? bytes.endIndex)]
        path = String(pathBytes) ?? ""
        segments = []
        query = []
        for segment in pathBytes.dropFirst().split(separator: ASCII.slash, omittingEmptySubsequences: false) {
            guard let decoded = Self.decode(segment, plusIsSpace: false) else { throw .malformedTarget(target) }
            segments.append(decoded)
        }
        guard let question else { return }
        for pair in bytes[bytes.index(after: question)...].split(separator: ASCII.ampersand) {
            let equals = pair.firstIndex(of: ASCII.equals)
            let value = equals.map { pair[pair.index(after: $0)...] } ?? pair[pair.endIndex...]
            guard let name = Self.decode(pair[..<(equals ?? pair.endIndex)], plusIsSpace: true),
                let decoded = Self.decode(value, plusIsSpace: true)
            else { throw .malformedTarget(target) }
            query.append(QueryItem(name: name, value: decoded))
        }
    }

    /// The value of the first item of that name.
    public func queryValue(_ name: String) -> String? { query.first { $0.name == name }?.value }

    private static func decode(_ bytes: Substring.UTF8View, plusIsSpace: Bool) -> String? {
        guard bytes.contains(where: { $0 == ASCII.percent || (plusIsSpace && $0 == ASCII.plus) }) else {
            return String(bytes)
        }
        var decoded: [UInt8] = []
        decoded.reserveCapacity(bytes.count)
        var iterator = bytes.makeIterator()
        while let byte = iterator.next() {
            switch byte {
            case ASCII.percent:
                guard let high = iterator.next().flatMap(ASCII.hexadecimalValue),
                    let low = iterator.next().flatMap(ASCII.hexadecimalValue), high | low != 0
                else { return nil }
                decoded.append(high << 4 | low)
            case ASCII.plus where plusIsSpace: decoded.append(ASCII.space)
            default: decoded.append(byte)
            }
        }
        return String(validating: decoded, as: UTF8.self)
    }
}
