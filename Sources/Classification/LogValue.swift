/// Text of others, made safe for a line of a log and for a terminal: the one rule for both.
public enum LogValue {
    /// Whether a character ends a line, drives a terminal or turns the direction of what follows: C0 and C1, DEL, the
    /// separators of lines and paragraphs, and Unicode's bidirectional controls.
    public static func isUnsafe(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7F...0x9F, 0x061C, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069: true
        default: false
        }
    }

    /// `text` with what is unsafe in it escaped as in JSON, where in a string it means the same.
    ///
    /// - Parameter keepsNewlines: for texts of several lines of one's own.
    public static func escaped(_ text: String, keepsNewlines: Bool = false) -> String {
        func isKept(_ scalar: Unicode.Scalar) -> Bool { !isUnsafe(scalar) || keepsNewlines && scalar == "\n" }
        guard !text.unicodeScalars.allSatisfy(isKept) else { return text }
        var escaped = ""
        for scalar in text.unicodeScalars {
            if isKept(scalar) { escaped.unicodeScalars.append(scalar) } else { escaped += escape(scalar) }
        }
        return escaped
    }

    private static func escape(_ scalar: Unicode.Scalar) -> String {
        switch scalar {
        case "\n": return "\\n"
        case "\r": return "\\r"
        case "\t": return "\\t"
        default:
            let digits = String(scalar.value, radix: 16)
            return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        }
    }

    /// As it is where it is one word, else quoted, so that every field can be told from the next.
    static func text(_ value: String) -> String {
        let isPlain =
            !value.isEmpty
            && value.unicodeScalars.allSatisfy {
                $0 != " " && !isUnsafe($0) && !"\"=\\".unicodeScalars.contains($0)
            }
        guard !isPlain else { return value }
        var text = "\""
        for scalar in value.unicodeScalars {
            if scalar == "\"" || scalar == "\\" { text += "\\" }
            if isUnsafe(scalar) { text += escape(scalar) } else { text.unicodeScalars.append(scalar) }
        }
        return text + "\""
    }
}
