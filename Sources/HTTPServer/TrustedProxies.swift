import HTTP
import HTTPTypes
import Transport

/// Whom a request comes from, as far as can be known.
public enum Client: Sendable, Equatable {
    case address(IPAddress)
    /// What a proxy calls it: an underscore and ASCII letters, digits, dots, dashes and underscores.
    case obfuscated(String)
    case unknown
}

extension Client: CustomStringConvertible {
    /// For logs: an address, a proxy's name for it, or `unknown`. Holds no character that needs care.
    public var description: String {
        switch self {
        case .address(let address): address.description
        case .obfuscated(let name): name
        case .unknown: "unknown"
        }
    }
}

/// Where a request comes from. What its proxies say of that is read when somebody asks for the client.
public struct RequestOrigin: Sendable {
    /// The other end of the connection.
    public let peer: SocketAddress?
    /// Whether the peer is a trusted proxy. Then nothing that it passes on is of the server's own machine, whatever the
    /// address.
    public let isProxied: Bool
    private let proxies: TrustedProxies
    /// Empty unless the peer is trusted.
    private let fields: HTTPFields

    public init(peer: SocketAddress? = nil, proxies: TrustedProxies = TrustedProxies(), fields: HTTPFields = [:]) {
        self.peer = peer
        self.proxies = proxies
        isProxied = peer.map { proxies.contains($0.address) } ?? false
        self.fields = isProxied ? fields : [:]
    }

    /// - Complexity: linear in the fields `Forwarded` and `X-Forwarded-For`, each time.
    public var client: Client {
        guard let peer else { return .unknown }
        return isProxied ? proxies.client(named: fields) ?? .address(peer.address) : .address(peer.address)
    }
}

/// The proxies whose word about clients is taken.
public struct TrustedProxies: Sendable, Equatable {
    private let ranges: [AddressRange]

    public init(_ ranges: [AddressRange] = []) { self.ranges = ranges }

    func contains(_ address: IPAddress) -> Bool { ranges.contains { $0.contains(address) } }

    /// How many proxies in a row are believed: more are a loop, or somebody's play.
    static let maximumHops = 32

    /// Whom a trusted proxy says that a request comes from.
    ///
    /// It is believed about whom it has the request from; if that is a trusted proxy, the entry before is believed too, and
    /// so on for `maximumHops`: the client is the last entry that is no trusted proxy, or the first of those looked at.
    /// What stands before it the client itself may have written.
    ///
    /// `Forwarded` that is malformed, or that names another client than `X-Forwarded-For`, may be the client's own,
    /// passed on by a proxy that adds the other field only. Nobody can tell which.
    ///
    /// - Returns: nil where nothing is said, or nothing that can be relied on.
    func client(named fields: HTTPFields) -> Client? {
        var told: Client?
        if let text = fields[.forwarded] {
            guard let nodes = ForwardedNode.forwarded(text, last: Self.maximumHops) else { return nil }
            told = client(nodes)
        }
        let listed = fields[.xForwardedFor].flatMap {
            client(ForwardedNode.forwardedFor($0, last: Self.maximumHops))
        }
        if let told, let listed, told != listed { return nil }
        return told ?? listed
    }

    /// The last that is no trusted proxy, or the first; nil where there is none.
    private func client(_ nodes: [ForwardedNode]) -> Client? {
        for node in nodes.reversed() {
            let client = Client(node)
            if case .address(let address) = client, contains(address) { continue }
            return client
        }
        return nodes.first.map { Client($0) }
    }
}

extension Client {
    fileprivate init(_ node: ForwardedNode) {
        switch node {
        case .address(let text): self = IPAddress(text).map { Client.address($0) } ?? .unknown
        case .obfuscated(let name): self = .obfuscated(name)
        case .unknown: self = .unknown
        }
    }
}

extension HTTPField.Name {
    static let forwarded = HTTPField.Name("Forwarded")!
    static let xForwardedFor = HTTPField.Name("X-Forwarded-For")!
}
