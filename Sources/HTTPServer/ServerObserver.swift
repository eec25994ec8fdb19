import HTTP
import HTTPTypes
import Parallelism
import Transport

/// Why the server itself has refused or given up a request.
public enum ServerRejection: Error, Equatable, Sendable {
    case malformed(HTTPParseError)
    /// A request in the clear where TLS is spoken.
    case plainText
    case headTimeout
    case bodyTimeout
    /// The bodies of all requests together have reached their limit.
    case tooManyBytesHeld(maximum: Int)
    /// The client went away before its answer, or ended its side in the middle of its request.
    case disconnected
    /// The drain's time was over before there was an answer.
    case drainTimeout

    /// The status that answers it, where there is somebody to answer.
    ///
    /// Who ends its side in the middle of a request may still read that it is incomplete. Source: RFC 9112 §8.
    public var status: HTTPResponse.Status {
        switch self {
        case .malformed(let error): error.status
        case .plainText, .disconnected: .badRequest
        case .headTimeout, .bodyTimeout: .requestTimeout
        case .tooManyBytesHeld, .drainTimeout: .serviceUnavailable
        }
    }

    /// The status that the records give it: 499 where the client is gone, as most that end their side are, or is left
    /// without an answer.
    public var recordedStatus: HTTPResponse.Status {
        switch self {
        case .disconnected, .drainTimeout: HTTPResponse.Status(code: 499, reasonPhrase: "Client Closed Request")
        default: status
        }
    }

    /// A sentence for whoever sent the request.
    public var detail: String {
        switch self {
        case .malformed(let error): error.description
        case .plainText: "This port speaks TLS, and the request came in plain HTTP: use https."
        case .headTimeout: "The header section took too long."
        case .bodyTimeout: "The body took too long."
        case .tooManyBytesHeld(let maximum): "The requests being read and answered hold the limit of \(maximum) bytes."
        case .disconnected: "The connection ended before the request was complete."
        case .drainTimeout: "The server ended before there was an answer."
        }
    }

    /// What the records call it.
    public var reason: String {
        switch self {
        case .malformed(.bodyTooLarge): "too_large"
        case .malformed(let error): recordWord(error.status.reasonPhrase)
        case .plainText: "plain_text"
        case .headTimeout: "head_timeout"
        case .bodyTimeout: "body_timeout"
        case .tooManyBytesHeld: "held_bytes"
        case .disconnected: "disconnected"
        case .drainTimeout: "drain_timeout"
        }
    }
}

/// A request that has been answered, or whose client is gone.
public struct RequestRecord: Sendable {
    /// The route's label, never the path; `unmatched` where there is none.
    public var route: String
    public var method: HTTPRequest.Method
    public var status: Int
    /// Why the status is an error, in a word that names no value of the request's; nil where it is none.
    public var reason: String?
    /// From the first byte to the answer's being ready to send.
    public var seconds: Double
    public var stages: [Stage]
    public var requestID: String
    /// When its first byte was read.
    public var received = Instant(nanoseconds: 0)
    /// As it was sent, without the query; empty where the request line was not read.
    public var path = ""
    public var origin = RequestOrigin()
    /// The name of the key that let it in, where one was needed.
    public var keyName: String?
    /// The field `traceparent`, whatever it holds.
    public var traceParent: String?
    /// Units: bytes. Of the request's body as far as it was read, but for what was dropped of one that was answered from
    /// its head alone; and of the answer's as it was sent.
    public var bodyBytes = 0
    public var answerBytes = 0
    /// The response's.
    public var note: (any AnyObject & Sendable)?
}

/// How a TLS handshake has ended.
public enum HandshakeResult: String, CaseIterable, Sendable {
    case full, resumed
    /// The peer was refused, or has refused.
    case failed
    /// The peer took too long, or left.
    case abandoned
    case plainText = "plain_text"
}

/// What metrics and logs are fed from. Called on event loops: must not block.
public struct ServerObserver: Sendable {
    /// A complete request of that route goes to its handler.
    public var requestStarted: @Sendable (_ route: String) -> Void = { _ in }
    /// Once for every `requestStarted`, and for every answer that the server makes itself; `wasStarted` tells which.
    public var requestFinished: @Sendable (_ record: RequestRecord, _ wasStarted: Bool) -> Void = { _, _ in }
    public var rejected: @Sendable (ServerRejection) -> Void = { _ in }
    public var connectionOpened: @Sendable () -> Void = {}
    public var connectionClosed: @Sendable () -> Void = {}
    public var handshakeFinished: @Sendable (HandshakeResult) -> Void = { _ in }

    public init() {}
}
