import Testing

/// Bytes that somebody may send, and the requests that the server must find in them.
///
/// Behind each goes a harmless second request on the same connection: whether and how that is answered shows where the
/// server took the first to end.
struct Probe: Sendable, CustomTestStringConvertible {
    var name: String
    var bytes: [UInt8]
    /// The answers in order: `METHOD path [body]` as a handler saw it, `HEAD` for one without a body, or an error's status.
    /// What stands here is all that comes; where the second request's is missing the connection has been closed.
    var answers: [String]
    /// The answers where every byte arrives alone, if they are others.
    var bytewiseAnswers: [String]?

    var testDescription: String { name }

    /// The second request, and its answer.
    static let after = bytes("GET /after HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    static let afterAnswer = "GET /after []"
    /// What an attacker would have the server take for a request.
    static let hidden = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"

    /// One byte a character, U+0000 to U+00FF.
    static func bytes(_ text: String) -> [UInt8] { text.unicodeScalars.map { UInt8($0.value) } }

    /// The connection goes on: the second request is answered last.
    static func served(_ name: String, _ text: String, _ answers: String...) -> Probe {
        Probe(name: name, bytes: bytes(text), answers: answers + [afterAnswer])
    }

    /// The answers given, after which the connection closes.
    static func closed(_ name: String, _ text: String, _ answers: String...) -> Probe {
        Probe(name: name, bytes: bytes(text), answers: answers)
    }

    /// An error and the connection's end: nothing further is read.
    static func refused(_ name: String, _ text: String, _ status: Int = 400, after answers: String...) -> Probe {
        Probe(name: name, bytes: bytes(text), answers: answers + [String(status)])
    }

    /// A GET with the header lines given, each with its own line end.
    static func get(_ lines: String) -> String { "GET /p HTTP/1.1\r\nHost: a\r\n\(lines)\r\n" }

    static func post(_ lines: String, _ body: String = "") -> String {
        "POST /p HTTP/1.1\r\nHost: a\r\n\(lines)\r\n\(body)"
    }

    static func chunked(_ body: String) -> String { post("Transfer-Encoding: chunked\r\n", body) }

    static let all =
        group("line", requestLines) + group("target", targets) + group("host", hosts) + group("field", fields)
        + group("length", contentLengths) + group("coding", transferEncodings) + group("chunk", chunks)
        + group("trailer", trailers) + group("connection", connections)

    private static func group(_ name: String, _ probes: [Probe]) -> [Probe] {
        probes.map { probe in
            var probe = probe
            probe.name = "\(name): \(probe.name)"
            return probe
        }
    }
}
