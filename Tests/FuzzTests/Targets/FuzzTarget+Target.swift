import HTTP

extension FuzzTarget {
    /// Request targets and media types: what is taken apart can be put together and taken apart again.
    static let target = FuzzTarget("target", maximumBytes: 160) { bytes in
        let text = bytes.text
        // The parser lets only visible characters come here.
        if bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), let target = try? RequestTarget(text) {
            if target.segments.contains(where: { $0.utf8.contains(0) }) { return "NUL in a path" }
            let path = target.segments.map { "/" + escaped($0) }.joined()
            let query = target.query.map { "\(escaped($0.name))=\(escaped($0.value))" }.joined(separator: "&")
            guard let again = try? RequestTarget(query.isEmpty ? path : "\(path)?\(query)") else {
                return "a target that cannot be read when written again"
            }
            if again.segments != target.segments || again.query != target.query {
                return "another target when written again"
            }
        }
        if let type = MediaType(text) {
            let parameters = type.parameters.map { "; \($0.name)=\(quoted($0.value))" }.joined()
            guard let again = MediaType(type.essence + parameters), again == type else {
                return "another media type when written again"
            }
        }
        return nil
    }

    private static func escaped(_ text: String) -> String {
        text.utf8.map { "%" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private static func quoted(_ text: String) -> String {
        var quoted: [UInt8] = []
        for byte in text.utf8 {
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { quoted.append(UInt8(ascii: "\\")) }
            quoted.append(byte)
        }
        return "\"\(quoted.text)\""
    }
}
