import HTTPTypes

/// How an answer is framed for the request it answers.
public struct ResponseFraming: Sendable, Equatable {
    public var version: HTTPVersion
    /// Whether the request was HEAD: the length is said, and no body sent. Source: RFC 9110 §9.3.2.
    public var isHead: Bool
    /// Whether the connection stays open afterwards.
    public var keepsAlive: Bool

    public init(version: HTTPVersion, isHead: Bool, keepsAlive: Bool) {
        self.version = version
        self.isHead = isHead
        self.keepsAlive = keepsAlive
    }
}

/// A step of a request's work and how long it took, for `Server-Timing`.
public struct Stage: Sendable, Equatable {
    /// A token, such as `decode`.
    public var name: String
    public var seconds: Double

    public init(name: String, seconds: Double) {
        self.name = name
        self.seconds = seconds
    }
}

/// Writes answers' heads. Holds the formatted date of the current second.
///
/// Source: RFC 9112 §4 and §9.3; RFC 9110 §6.6.1 and §8.6.
public struct ResponseEncoder: Sendable {
    private var date: [UInt8] = []
    private var dateSeconds = -1

    public init() {}

    /// Appends status line and fields to `output`. `Date`, `Content-Length`, `Connection` and `Transfer-Encoding`
    /// are the encoder's own: they are dropped from `fields`.
    ///
    /// Units: `unixSeconds` since 1970, `stages` in seconds (milliseconds on the wire).
    public mutating func appendHead(
        status: HTTPResponse.Status, fields: HTTPFields, requestID: String, stages: [Stage], bodyBytes: Int,
        framing: ResponseFraming, unixSeconds: Int, to output: inout [UInt8]
    ) {
        if unixSeconds != dateSeconds {
            date = HTTPDate.bytes(unixSeconds: unixSeconds)
            dateSeconds = unixSeconds
        }
        output.reserveCapacity(output.count + 512)
        // The version is the server's, whatever the client's (RFC 9110 §6.2).
        output.append("HTTP/1.1 ")
        output.append(decimal: status.code, digits: 3)
        output.append(" ")
        output.append(status.reasonPhrase)
        output.append("\r\nDate: ")
        output.append(contentsOf: date)
        if status.kind != .informational, status.code != 204 {
            output.append("\r\nContent-Length: ")
            output.append(decimal: bodyBytes)
        }
        if !framing.keepsAlive {
            output.append("\r\nConnection: close")
        } else if framing.version == .http10 {
            output.append("\r\nConnection: keep-alive")
        }
        output.append("\r\nX-Request-Id: ")
        output.append(requestID)
        if !stages.isEmpty {
            output.append("\r\nServer-Timing: ")
            Self.append(stages, to: &output)
        }
        output.append("\r\n")
        for field in fields where !Self.isOwn(field.name) {
            output.append(field.name.rawName)
            output.append(": ")
            output.append(field.value)
            output.append("\r\n")
        }
        output.append("\r\n")
    }

    /// The interim answer that lets the client send its body. Source: RFC 9110 §15.2.1.
    public static func appendContinue(to output: inout [UInt8]) {
        output.append("HTTP/1.1 100 Continue\r\n\r\n")
    }

    /// Whether an answer to that framing and status carries its body.
    public static func carriesBody(_ status: HTTPResponse.Status, framing: ResponseFraming) -> Bool {
        !framing.isHead && status.code != 204 && status.code != 304 && status.kind != .informational
    }

    private static func isOwn(_ name: HTTPField.Name) -> Bool {
        switch name.canonicalName {
        case "date", "content-length", "connection", "transfer-encoding", "x-request-id", "server-timing": true
        default: false
        }
    }

    /// Source: W3C Server Timing §3.
    private static func append(_ stages: [Stage], to output: inout [UInt8]) {
        var isFirst = true
        for stage in stages {
            if !isFirst { output.append(", ") }
            isFirst = false
            output.append(stage.name)
            output.append(";dur=")
            let microseconds = stage.seconds > 0 ? Int(min(stage.seconds, 1e9) * 1e6) : 0
            output.append(decimal: microseconds / 1000)
            output.append(".")
            output.append(decimal: microseconds % 1000, digits: 3)
        }
    }
}
