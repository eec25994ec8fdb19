import HTTPTypes

/// The versions that are served. A later 1.x is taken for 1.1 (RFC 9110 §2.5).
public enum HTTPVersion: Sendable, Equatable {
    case http10
    case http11
}

/// How the body's end is found. Source: RFC 9112 §6.3.
public enum BodyFraming: Sendable, Equatable {
    case none
    case length(Int)
    case chunked

    /// Whether the body is known to have no more than `limit` bytes.
    public func fits(_ limit: Int) -> Bool {
        switch self {
        case .none: true
        case .length(let count): count <= limit
        case .chunked: limit == .max
        }
    }
}

/// A request's head as it was read: the request line, the fields, and what they say about framing and the connection.
public struct RequestHead: Sendable, Equatable {
    public var method: HTTPRequest.Method
    /// Path and query in origin-form, `*`, or for CONNECT an authority. An absolute-form target is split into
    /// `authority` and this.
    public var target: String
    /// What `Host` or the absolute-form target says; absent only in HTTP/1.0.
    public var authority: String?
    public var version: HTTPVersion
    /// All fields except `Host`, in the order sent.
    public var fields: HTTPFields
    public var framing: BodyFraming
    /// Whether the client lets the connection stay open after the answer. Source: RFC 9112 §9.3.
    public var keepsAlive: Bool
    /// Whether the client waits for 100 before it sends the body. Source: RFC 9110 §10.1.1.
    public var expectsContinue: Bool
}

/// A complete request.
public struct ParsedRequest: Sendable, Equatable {
    public var head: RequestHead
    public var body: [UInt8]
}
