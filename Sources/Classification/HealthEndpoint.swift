/// Where a service is asked about its health from its own machine.
public struct HealthEndpoint: Equatable, Sendable, CustomStringConvertible {
    public let host: String
    public let port: Int
    public let isSecure: Bool

    /// What `swiftlet serve` with these settings answers on: the admin address where there is one, as it has
    /// connections of its own and, unless asked for, no TLS; else the main port.
    ///
    /// - Throws: `HealthEndpointError`.
    public init(_ settings: Settings) throws(HealthEndpointError) {
        let admin = ListenAddress(settings.adminAddress)
        let (key, host, port) =
            admin.map { ("adminAddress", $0.host, $0.port) } ?? ("port", settings.host, settings.port)
        isSecure = !settings.tlsCertificate.isEmpty && (admin == nil || settings.adminTls == "on")
        guard port != 0 else { throw .anyPort(key: key) }
        guard !isSecure || settings.tlsClientCa.isEmpty else { throw .certificateNeeded }
        self.port = port
        // What means all addresses to a server means none to a client.
        self.host = host == "0.0.0.0" ? "127.0.0.1" : host == "::" ? "::1" : host
    }

    /// Reads `http://HOST:PORT`, or with `https`, with or without a port and a final slash.
    public init?(url: String) {
        let schemes = [("http://", false, 80), ("https://", true, 443)]
        guard let (scheme, isSecure, standardPort) = schemes.first(where: { url.hasPrefix($0.0) }) else { return nil }
        var authority = url.dropFirst(scheme.count)
        if authority.hasSuffix("/") { authority.removeLast() }
        guard !authority.isEmpty, !authority.contains(where: { "/?#@ ".contains($0) }) else { return nil }
        let hasPort = authority.last != "]" && authority.contains(":")
        guard let address = ListenAddress(hasPort ? String(authority) : "\(authority):\(standardPort)"),
            address.port != 0
        else { return nil }
        (host, port, self.isSecure) = (address.host, address.port, isSecure)
    }

    /// Host and port, IPv6 in brackets.
    public var authority: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    public var description: String { "\(isSecure ? "https" : "http")://\(authority)" }
}

/// Why settings do not say where to ask.
public enum HealthEndpointError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The service takes any port that is free.
    case anyPort(key: String)
    /// Only clients with a certificate are answered.
    case certificateNeeded

    public var description: String {
        switch self {
        case .anyPort(let key):
            "the port of '\(key)' is 0, so the service took one that was free: name it by --url http://127.0.0.1:PORT"
        case .certificateNeeded:
            "'tlsClientCa' has every client show a certificate, and a health check has none: give the service an "
                + "'adminAddress' with 'adminTls' off, which answers health checks without"
        }
    }
}
