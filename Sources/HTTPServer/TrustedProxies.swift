import HTTP
import HTTPTypes
import Transport

/// Whom a request comes from, as far as can be known.
public struct Client: Sendable, Equatable {
    public enum Identity: Sendable, Equatable {
        case address(IPAddress)
        /// What a proxy calls it: an underscore and ASCII letters, digits, dots, dashes and underscores.
        case obfuscated(String)
        case unknown
    }

    public var identity: Identity
    /// Whether its own connection, be it to a proxy, is said to be encrypted.
    public var isSecure: Bool
    /// Whether the peer is a trusted proxy. Then nothing that it passes on is of the server's own machine, whatever the
    /// address.
    public var isProxied: Bool

    public init(identity: Identity = .unknown, isSecure: Bool = false, isProxied: Bool = false) {
        self.identity = identity
        self.isSecure = isSecure
        self.isProxied = isProxied
    }
}

extension Client: CustomStringConvertible {
    /// For logs: an address, a proxy's name for it, or `unknown`. Holds no character that needs care.
    public var description: String {
        switch identity {
        case .address(let address): address.description
        case .obfuscated(let name): name
        case .unknown: "unknown"
        }
    }
}

/// The proxies whose word about clients is taken.
public struct TrustedProxies: Sendable, Equatable {
    private let ranges: [AddressRange]

    public init(_ ranges: [AddressRange] = []) { self.ranges = ranges }

    func contains(_ address: IPAddress) -> Bool { ranges.contains { $0.contains(address) } }

    /// Whom a request with these fields comes from.
    ///
    /// From a peer that is not trusted fields mean nothing, and the peer is the client. A trusted one is believed about
    /// whom it has the request from; if that is a trusted proxy, the entry before is believed too, and so on: the client
    /// is the last entry that is no trusted proxy, or the first of all. What stands before it the client itself may have
    /// written.
    ///
    /// `Forwarded` that is malformed, or that names another client than `X-Forwarded-For`, may be the client's own,
    /// passed on by a proxy that adds the other field only. Nobody can tell which: the peer is the client then.
    ///
    /// - Parameter isSecure: whether the connection is.
    func client(of fields: HTTPFields, peer: SocketAddress?, isSecure: Bool) -> Client {
        guard let peer else { return Client(identity: .unknown, isSecure: isSecure, isProxied: false) }
        var client = Client(identity: .address(peer.address), isSecure: isSecure, isProxied: false)
        guard contains(peer.address) else { return client }
        client.isProxied = true
        var told: Origin?
        if let text = fields[.forwarded] {
            guard let hops = ForwardedHop.list(text) else { return client }
            told = origin(hops)
        }
        let listed = origin(listedHops(fields))
        switch (told, listed) {
        case (let told?, let listed?):
            guard told.identity == listed.identity else { return client }
            client.identity = told.identity
            // Where only one of them tells the scheme, that is it.
            let schemes = [told.scheme, listed.scheme].compactMap(\.self)
            if !schemes.isEmpty { client.isSecure = schemes.allSatisfy { $0 == "https" } }
        case (let only?, nil), (nil, let only?):
            client.identity = only.identity
            if let scheme = only.scheme { client.isSecure = scheme == "https" }
        case (nil, nil): break
        }
        return client
    }

    private struct Origin {
        var identity: Client.Identity
        var scheme: String?
    }

    /// The last of the hops that is no trusted proxy, or the first; nil where there is none.
    private func origin(_ hops: [ForwardedHop]) -> Origin? {
        guard let first = hops.first else { return nil }
        var origin = Origin(identity: identity(first.node), scheme: first.scheme)
        for hop in hops.reversed() {
            let identity = identity(hop.node)
            if case .address(let address) = identity, contains(address) { continue }
            origin = Origin(identity: identity, scheme: hop.scheme)
            break
        }
        return origin
    }

    private func identity(_ node: ForwardedNode) -> Client.Identity {
        switch node {
        case .address(let text): IPAddress(text).map { .address($0) } ?? .unknown
        case .obfuscated(let name): .obfuscated(name)
        case .unknown: .unknown
        }
    }

    /// `X-Forwarded-For` with `X-Forwarded-Proto`, which has an entry for each address or, from most proxies, one for all.
    private func listedHops(_ fields: HTTPFields) -> [ForwardedHop] {
        guard let nodes = fields[.xForwardedFor].map(ForwardedNode.list) else { return [] }
        let schemes = (fields[.xForwardedProto] ?? "").listElements.map { $0.lowercased() }
        return nodes.enumerated().map { index, node in
            let scheme = schemes.count == nodes.count ? schemes[index] : schemes.count == 1 ? schemes[0] : nil
            return ForwardedHop(node: node, scheme: scheme)
        }
    }
}

extension HTTPField.Name {
    static let forwarded = HTTPField.Name("Forwarded")!
    static let xForwardedFor = HTTPField.Name("X-Forwarded-For")!
    static let xForwardedProto = HTTPField.Name("X-Forwarded-Proto")!
}
