extension Probe {
    private static let hiddenLength = hidden.utf8.count

    private static func length(_ value: String, _ body: String = "abc") -> String {
        post("Content-Length:\(value)\r\n", body)
    }

    /// Source: RFC 9110 §8.6, RFC 9112 §6.3.
    static let contentLengths: [Probe] = [
        served("a body", length(" 3"), "POST /p [abc]"),
        served("a body that looks like a request", length(" \(hiddenLength)", hidden), "POST /p [\(hidden)]"),
        served("no length", post("", hidden), "POST /p []", "GET /hidden []"),
        served("length 0", length(" 0", hidden), "POST /p []", "GET /hidden []"),
        served("leading zeros", length(" 0003"), "POST /p [abc]"),
        served("forty leading zeros", length(" \(String(repeating: "0", count: 40))3"), "POST /p [abc]"),
        served("tabs around", length("\t3\t"), "POST /p [abc]"),
        served("no blank", length("3"), "POST /p [abc]"),
        served("the same twice", post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"), "POST /p [abc]"),
        refused("twice, differing", post("Content-Length: 0\r\nContent-Length: \(hiddenLength)\r\n", hidden)),
        refused("twice, the first empty", post("Content-Length:\r\nContent-Length: 3\r\n", "abc")),
        refused("twice, the second malformed", post("Content-Length: 3\r\nContent-Length: x\r\n", "abc")),
        refused("a list of the same", length(" 3, 3")),
        refused("a list of others", length(" 3, 0")),
        refused("a list with nothing", length(" 3,")),
        refused("plus", length(" +3")),
        refused("minus", length(" -3")),
        refused("minus zero", length(" -0")),
        refused("hexadecimal", length(" 0x3")),
        refused("octal", length(" 0o3")),
        refused("a fraction", length(" 3.0")),
        refused("an exponent", length(" 3e0")),
        refused("an underscore", length(" 1_0")),
        refused("a blank inside", length(" 3 3")),
        refused("a comment", length(" 3 (three)")),
        refused("a semicolon", length(" 3;")),
        refused("quotes", length(" \"3\"")),
        refused("an empty value", length("")),
        refused("blanks alone", length(" \t ")),
        refused("NUL behind", length(" 3\0")),
        refused("vertical tab before", length("\u{B}3")),
        refused("a no-break space before", length("\u{A0}3")),
        refused("a digit of another script", length(" \u{D9}\u{A3}")),
        refused("folded", length("\r\n 3")),
        refused("a blank before the colon", post("Content-Length : 3\r\n", "abc")),
        refused("NUL behind the name", post("Content-Length\0: 3\r\n", "abc")),
        refused("more than the limit", length(" 1048577"), 413),
        refused("2^63", length(" 9223372036854775808"), 413),
        refused("2^64 + 3", length(" 18446744073709551619"), 413),
        refused("2^32 + 3", length(" 4294967299"), 413),
        refused("a thousand digits", length(" \(String(repeating: "9", count: 1000))"), 413),
        served(
            "an underscore in the name", post("Content_Length: \(hiddenLength)\r\n", hidden), "POST /p []",
            "GET /hidden []"),
        served("GET with a body", get("Content-Length: \(hiddenLength)\r\n") + hidden, "GET /p [\(hidden)]"),
        served(
            "HEAD with a body", "HEAD /p HTTP/1.1\r\nHost: a\r\nContent-Length: \(hiddenLength)\r\n\r\n\(hidden)",
            "HEAD"
        ),
        served(
            "OPTIONS with a body", "OPTIONS /p HTTP/1.1\r\nHost: a\r\nContent-Length: \(hiddenLength)\r\n\r\n\(hidden)",
            "204"),
        served(
            "a body for no route", "POST /none HTTP/1.1\r\nHost: a\r\nContent-Length: \(hiddenLength)\r\n\r\n\(hidden)",
            "404"),
        served(
            "a body for another method",
            "PATCH /p HTTP/1.1\r\nHost: a\r\nContent-Length: \(hiddenLength)\r\n\r\n\(hidden)", "405"),
        served(
            "a body for a malformed path",
            "POST /%zz HTTP/1.1\r\nHost: a\r\nContent-Length: \(hiddenLength)\r\n\r\n\(hidden)", "400"),
        closed("a body that takes in the next request", length(" \(3 + after.count)"), "POST /p [abc\(afterText)]"),
        refused("a body that never comes", length(" 1000")),
    ]

    private static let afterText = String(decoding: after, as: UTF8.self)
}
