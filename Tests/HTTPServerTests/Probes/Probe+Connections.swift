extension Probe {
    private static let http10 = "GET /p HTTP/1.0\r\nHost: a\r\n"

    /// `Expect` with a body that is sent at once: there is nothing to wait for, and no 100, where both come together.
    private static func expecting(_ line: String, _ target: String = "/p") -> String {
        "POST \(target) HTTP/1.1\r\nHost: a\r\n\(line)\r\nContent-Length: \(hidden.utf8.count)\r\n\r\n\(hidden)"
    }

    /// Source: RFC 9112 §9.3, RFC 9110 §7.6.1, §7.8 and §10.1.1.
    static let connections: [Probe] = [
        closed("close", get("Connection: close\r\n"), "GET /p []"),
        closed("close among others", get("Connection: keep-alive, x ,\tCLOSE\r\n"), "GET /p []"),
        closed("close on a second line", get("Connection: keep-alive\r\nConnection: close\r\n"), "GET /p []"),
        closed("close with a hidden request", get("Connection: close\r\n") + hidden, "GET /p []"),
        served("a word that holds close", get("Connection: closed\r\n"), "GET /p []"),
        served("Proxy-Connection", get("Proxy-Connection: close\r\n"), "GET /p []"),
        closed("HTTP/1.0", http10 + "\r\n", "GET /p []"),
        served("HTTP/1.0 kept alive", http10 + "Connection: keep-alive\r\n\r\n", "GET /p []"),
        closed("HTTP/1.0 kept alive and closed", http10 + "Connection: keep-alive, close\r\n\r\n", "GET /p []"),
        served(
            "HTTP/1.0 with a body",
            http10 + "Connection: keep-alive\r\nContent-Length: \(hidden.utf8.count)\r\n\r\n\(hidden)",
            "GET /p [\(hidden)]"),
        served(
            "upgrade to h2c",
            get("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"),
            "GET /p []"),
        refused(
            "upgrade to h2c, and its preface at once",
            get("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n")
                + "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, after: "GET /p []"),
        served(
            "upgrade to WebSocket",
            get(
                "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAA\r\n"),
            "GET /p []"),
        served(
            "upgrade with a body",
            "POST /p HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n"
                + "Content-Length: \(hidden.utf8.count)\r\n\r\n\(hidden)", "POST /p [\(hidden)]"),
        served("Expect with its body", expecting("Expect: 100-continue"), "POST /p [\(hidden)]"),
        served("Expect twice", expecting("Expect: 100-continue\r\nExpect: 100-continue"), "POST /p [\(hidden)]"),
        served("Expect without a body", get("Expect: 100-continue\r\n"), "GET /p []"),
        served(
            "GET that expects, with a body",
            get("Expect: 100-continue\r\nContent-Length: \(hidden.utf8.count)\r\n") + hidden,
            "GET /p [\(hidden)]"),
        served(
            "Expect with chunks",
            post("Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n"), "POST /p [abc]"),
        served(
            "Expect in HTTP/1.0",
            http10 + "Connection: keep-alive\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
            "GET /p [abc]"),
        Probe(
            name: "Expect for no route", bytes: bytes(expecting("Expect: 100-continue", "/none")),
            answers: ["404", afterAnswer], bytewiseAnswers: ["404"]),
        refused("another Expect", expecting("Expect: a-pony"), 417),
        refused("an empty Expect", expecting("Expect:"), 417),
        refused("Expect with more before", expecting("Expect: y 100-continue"), 417),
        refused("Expect with a list", expecting("Expect: 100-continue, 100-continue"), 417),
        refused("Expect with a parameter", expecting("Expect: 100-continue;q=1"), 417),
        refused("Expect with another line", expecting("Expect: 100-continue\r\nExpect: x"), 417),
        refused("Expect and both lengths", expecting("Expect: 100-continue\r\nTransfer-Encoding: chunked")),
        served("a length for a cache", get("X-Forwarded-Host: b\r\nX-Original-URL: /hidden\r\n"), "GET /p []"),
        served("a method for overriding", get("X-HTTP-Method-Override: PUT\r\n"), "GET /p []"),
    ]
}
