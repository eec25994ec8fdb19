/// The first line of an answer, for clients.
///
/// Source: RFC 9112 §4.
public enum StatusLine {
    /// The status that a line tells, of three digits; nil where it is no status line of HTTP/1.
    public static func status(_ line: some StringProtocol) -> Int? {
        let words = line.split(separator: " ")
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), words[1].utf8.count == 3,
            words[1].utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let status = Int(words[1]), status >= 100
        else { return nil }
        return status
    }
}
