/// A value with parameters: what `Content-Type` and `Content-Disposition` hold.
///
/// Source: RFC 9110 §5.6.6 and §8.3.1; RFC 6266 §4.1.
public struct ParameterizedValue: Sendable, Equatable {
    /// What stands before the first semicolon, in lower case.
    public var value: String
    /// Names in lower case, values as sent without their quotes.
    public var parameters: [QueryItem]

    /// - Returns: nil where the value is empty or a parameter is not `name=token` or `name="quoted"`.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard let parsed = bytes.withUnsafeBufferPointer({ Self.parse($0) }) else { return nil }
        self = parsed
    }

    /// The value of the first parameter of that name, which is in lower case.
    public func parameter(_ name: String) -> String? { parameters.first { $0.name == name }?.value }

    private init(value: String) {
        self.value = value
        parameters = []
    }

    private static func parse(_ bytes: UnsafeBytes) -> ParameterizedValue? {
        let valueEnd = bytes.firstIndex(of: ASCII.semicolon) ?? bytes.count
        let value = bytes.part(0..<valueEnd).trimmed
        guard !value.isEmpty, value.allSatisfy({ ASCII.isToken($0) || $0 == ASCII.slash }) else { return nil }
        var result = ParameterizedValue(value: lowercasedText(value))
        var index = valueEnd
        while index < bytes.count {
            // A semicolon, and blanks around it; empty parameters are allowed.
            guard bytes[index] == ASCII.semicolon else { return nil }
            while index < bytes.count, bytes[index] == ASCII.semicolon || ASCII.isBlank(bytes[index]) { index += 1 }
            guard index < bytes.count else { break }
            let nameStart = index
            while index < bytes.count, ASCII.isToken(bytes[index]) { index += 1 }
            guard index > nameStart, index < bytes.count, bytes[index] == ASCII.equals else { return nil }
            let name = lowercasedText(bytes.part(nameStart..<index))
            index += 1
            guard let parameter = parseParameterValue(bytes, &index) else { return nil }
            result.parameters.append(QueryItem(name: name, value: parameter))
            while index < bytes.count, ASCII.isBlank(bytes[index]) { index += 1 }
        }
        return result
    }

    static func parseParameterValue(_ bytes: UnsafeBytes, _ index: inout Int) -> String? {
        guard index < bytes.count else { return nil }
        guard bytes[index] == ASCII.quote else {
            let start = index
            while index < bytes.count, ASCII.isToken(bytes[index]) { index += 1 }
            return index > start ? String(decoding: bytes[start..<index], as: UTF8.self) : nil
        }
        index += 1
        var value: [UInt8] = []
        while index < bytes.count, bytes[index] != ASCII.quote {
            if bytes[index] == ASCII.backslash {
                index += 1
                guard index < bytes.count else { return nil }
            }
            value.append(bytes[index])
            index += 1
        }
        guard index < bytes.count else { return nil }
        index += 1
        return String(decoding: value, as: UTF8.self)
    }

    private static func lowercasedText(_ bytes: UnsafeBytes) -> String {
        String(decoding: bytes.lazy.map(ASCII.lowercased), as: UTF8.self)
    }
}

/// A media type such as `multipart/form-data; boundary=x`.
///
/// Source: RFC 9110 §8.3.1.
public struct MediaType: Sendable, Equatable {
    /// In lower case, as is `subtype`.
    public var type: String
    public var subtype: String
    public var parameters: [QueryItem]

    /// - Returns: nil where the text is not `type/subtype` with well-formed parameters.
    public init?(_ text: String) {
        guard let parsed = ParameterizedValue(text) else { return nil }
        let parts = parsed.value.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else { return nil }
        type = String(parts[0])
        subtype = String(parts[1])
        parameters = parsed.parameters
    }

    /// `type/subtype`, without the parameters.
    public var essence: String { "\(type)/\(subtype)" }

    /// The value of the first parameter of that name, which is in lower case.
    public func parameter(_ name: String) -> String? { parameters.first { $0.name == name }?.value }
}
