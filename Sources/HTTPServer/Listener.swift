import Transport

/// An address to listen on, and what is answered there.
public struct Listener: Sendable {
    /// Name or address; `::` takes IPv4 clients as well.
    public var host: String
    /// 0 picks a free one.
    public var port: Int
    public var router: Router
    /// Nil for plain HTTP.
    public var tls: TLSCredentials?
    /// Nil where every route is for everybody.
    public var authorizer: Authorizer?
    public var crossOrigin: CrossOriginPolicy?
    /// Who is believed about whom a request comes from.
    public var trustedProxies: TrustedProxies
    /// Open connections; at the limit the next ones wait in the backlog.
    public var maximumConnections: Int

    public init(
        host: String, port: Int, router: Router, tls: TLSCredentials? = nil, authorizer: Authorizer? = nil,
        crossOrigin: CrossOriginPolicy? = nil, trustedProxies: TrustedProxies = TrustedProxies(),
        maximumConnections: Int
    ) {
        self.host = host
        self.port = port
        self.router = router
        self.tls = tls
        self.authorizer = authorizer
        self.crossOrigin = crossOrigin
        self.trustedProxies = trustedProxies
        self.maximumConnections = maximumConnections
    }
}

/// Where the server cannot listen, and why.
public struct ListenError: Error, Equatable, Sendable, CustomStringConvertible {
    public var host: String
    public var port: Int
    public var reason: SocketError

    public var description: String { "cannot listen on \(host), port \(port): \(reason)" }
}
