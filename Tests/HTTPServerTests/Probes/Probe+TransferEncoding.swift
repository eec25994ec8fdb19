extension Probe {
    private static let body = "3\r\nabc\r\n0\r\n\r\n"

    private static func coding(_ line: String) -> String { post("\(line)\r\n", body) }

    /// Source: RFC 9112 §6.1 and §6.3.
    static let transferEncodings: [Probe] = [
        served("chunked", coding("Transfer-Encoding: chunked"), "POST /p [abc]"),
        served("chunked in capitals", coding("TRANSFER-ENCODING: CHUNKED"), "POST /p [abc]"),
        served("tabs around", coding("Transfer-Encoding:\tchunked\t"), "POST /p [abc]"),
        served("GET with chunks", get("Transfer-Encoding: chunked\r\n") + body, "GET /p [abc]"),
        served(
            "named as hop by hop", coding("Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked"),
            "POST /p [abc]"),
        served(
            "the length named as hop by hop", post("Connection: Content-Length\r\nContent-Length: 3\r\n", "abc"),
            "POST /p [abc]"),
        refused(
            "CL.TE",
            post("Content-Length: \(5 + hidden.utf8.count)\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n" + hidden)),
        refused("TE.CL", post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "3\r\n\(hidden)\r\n0\r\n\r\n")),
        refused("with length 0", coding("Content-Length: 0\r\nTransfer-Encoding: chunked")),
        refused("identity with a length", post("Transfer-Encoding: identity\r\nContent-Length: 3\r\n", "abc")),
        refused("unknown with a length", post("Transfer-Encoding: x\r\nContent-Length: 3\r\n", "abc")),
        refused("in HTTP/1.0", "POST /p HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + body),
        refused(
            "in HTTP/1.0 with a length",
            "POST /p HTTP/1.0\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n" + body),
        refused("identity", coding("Transfer-Encoding: identity"), 501),
        refused("identity, chunked", coding("Transfer-Encoding: identity, chunked"), 501),
        refused("chunked, identity", coding("Transfer-Encoding: chunked, identity"), 501),
        refused("gzip, chunked", coding("Transfer-Encoding: gzip, chunked"), 501),
        refused("chunked, chunked", coding("Transfer-Encoding: chunked, chunked")),
        refused("chunked on two lines", coding("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked")),
        refused("chunked, then another line", coding("Transfer-Encoding: chunked\r\nTransfer-Encoding: x"), 501),
        refused("another line, then chunked", coding("Transfer-Encoding: x\r\nTransfer-Encoding: chunked"), 501),
        refused("an empty value", coding("Transfer-Encoding:")),
        refused("an empty element before", coding("Transfer-Encoding: , chunked")),
        refused("an empty element behind", coding("Transfer-Encoding: chunked,")),
        refused("an empty line of it", coding("Transfer-Encoding:\r\nTransfer-Encoding: chunked")),
        refused("xchunked", coding("Transfer-Encoding: xchunked"), 501),
        refused("chunkedx", coding("Transfer-Encoding: chunkedx"), 501),
        refused("chunked with a parameter", coding("Transfer-Encoding: chunked;q=1"), 501),
        refused("chunked in quotes", coding("Transfer-Encoding: \"chunked\""), 501),
        refused("chunked with a blank inside", coding("Transfer-Encoding: chu nked"), 501),
        refused("a Kelvin sign for k", coding("Transfer-Encoding: chun\u{E2}\u{84}\u{AA}ed"), 501),
        refused("a no-break space before", coding("Transfer-Encoding: \u{A0}chunked"), 501),
        refused("NEL before", coding("Transfer-Encoding: \u{85}chunked"), 501),
        refused("vertical tab before", coding("Transfer-Encoding:\u{B}chunked")),
        refused("form feed behind", coding("Transfer-Encoding: chunked\u{C}")),
        refused("NUL behind", coding("Transfer-Encoding: chunked\0")),
        refused("folded", coding("Transfer-Encoding:\r\n chunked")),
        refused("a blank before the name", coding(" Transfer-Encoding: chunked")),
        refused("a blank before the colon", coding("Transfer-Encoding : chunked")),
        refused("a tab before the colon", coding("Transfer-Encoding\t: chunked")),
        refused("a blank inside the name", coding("Transfer Encoding: chunked")),
        refused("behind a bare LF", coding("X: y\nTransfer-Encoding: chunked")),
        refused("behind a bare CR", coding("X: y\rTransfer-Encoding: chunked")),
        refused("an underscore in the name", coding("Transfer_Encoding: chunked"), after: "POST /p []"),
        refused("no colon", coding("Transfer-Encoding chunked")),
        refused("a colon for nothing", coding("Transfer-Encoding: : chunked"), 501),
        served("TE alone", get("TE: chunked, trailers\r\n"), "GET /p []"),
        served("Content-Encoding alone", get("Content-Encoding: chunked\r\n"), "GET /p []"),
    ]
}
