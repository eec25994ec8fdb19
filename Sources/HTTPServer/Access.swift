import HTTPTypes

/// Who may use a route.
public enum RouteAccess: Sendable, Equatable, CaseIterable {
    /// Everybody.
    case open
    /// Whoever may send work.
    case inference
    /// Whoever may change what is served, or look inside.
    case admin
}

/// What is known of a request when it asks to be let in: its head, and no more.
public struct AccessQuestion: Sendable {
    public var access: RouteAccess
    public var fields: HTTPFields
    /// What the client calls the server, by `Host` or in the target: a host and perhaps a port.
    public var authority: String?
    public var origin: RequestOrigin

    public init(access: RouteAccess, fields: HTTPFields, authority: String?, origin: RequestOrigin) {
        self.access = access
        self.fields = fields
        self.authority = authority
        self.origin = origin
    }
}

public enum AccessDecision: Sendable, Equatable {
    /// The key's name where one was needed.
    case granted(keyName: String?)
    case refused(AccessRefusal)
}

/// What is answered instead.
public struct AccessRefusal: Error, Equatable, Sendable {
    public var status: HTTPResponse.Status
    public var detail: String
    public var fields: HTTPFields
    /// The name of the key that did not suffice.
    public var keyName: String?

    public init(status: HTTPResponse.Status, detail: String, fields: HTTPFields = [:], keyName: String? = nil) {
        self.status = status
        self.detail = detail
        self.fields = fields
        self.keyName = keyName
    }
}

/// Decides about a request before its body is read. Runs on event loops: must not block.
public typealias Authorizer = @Sendable (AccessQuestion) -> AccessDecision
