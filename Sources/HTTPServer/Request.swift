import HTTP
import HTTPTypes
import Parallelism

/// A request as its handler sees it.
public struct Request: Sendable {
    public var method: HTTPRequest.Method
    /// As it was sent, without the query.
    public var path: String
    /// What the pattern's `{name}` segments matched, decoded.
    public var parameters: [String: String]
    public var query: [QueryItem]
    /// All fields but `Host`.
    public var fields: HTTPFields
    public var authority: String?
    public var body: [UInt8]
    public var origin: RequestOrigin
    /// The name of the key that let it in, where one was needed.
    public var keyName: String?
    /// When its first byte was read.
    public var received: Instant
    /// When its last byte was read.
    public var readDone: Instant
    /// Its `X-Request-Id`, the client's or a made one.
    public var id: String

    /// The value of the first query item of that name.
    public func queryValue(_ name: String) -> String? { query.first { $0.name == name }?.value }
}

/// An answer. `Date`, `Content-Length`, `Connection`, `X-Request-Id` and `Server-Timing` are the server's to add.
public struct Response: Sendable {
    public var status: HTTPResponse.Status
    public var fields: HTTPFields
    public var body: [UInt8]
    /// For `Server-Timing` and the records; `read` is added before them.
    public var stages: [Stage]
    /// Why it is an error, for the records; where there is none, they make one of the status.
    public var reason: String?
    /// What the handler wants to find in the record again.
    public var note: (any AnyObject & Sendable)?

    public init(
        status: HTTPResponse.Status = .ok, fields: HTTPFields = [:], body: [UInt8] = [], stages: [Stage] = []
    ) {
        self.status = status
        self.fields = fields
        self.body = body
        self.stages = stages
    }

    public init(
        status: HTTPResponse.Status = .ok, contentType: String, body: [UInt8], stages: [Stage] = []
    ) {
        self.init(status: status, fields: [.contentType: contentType], body: body, stages: stages)
    }
}

extension HTTPField.Name {
    /// `Retry-After` exactly. Units: milliseconds.
    public static let retryAfterMilliseconds = HTTPField.Name("Retry-After-Ms")!
}

/// What a route says to a request of which only the head has been read.
public enum AdmissionVerdict: Sendable {
    /// Its body is to be read, and goes to this handler, which knows what was found out; to the route's own with nil.
    case admitted(Handler?)
    case refused(Response)
}

/// Looks at a request of which only the head has been read. Runs on an event loop: must not block. A request without a
/// body goes to the route's handler at once.
public typealias Admission = @Sendable (Request) -> AdmissionVerdict

/// Answers a request now or later. Runs on an event loop: must not block.
public typealias Handler = @Sendable (Request, Responder) -> Void
