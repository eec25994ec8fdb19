import HTTP
import HTTPTypes
import Transport

@testable import HTTPServer

extension FuzzTarget {
    /// What a client has written before what its proxy adds: the client found is the one that the proxy names, or the
    /// proxy itself where what is before cannot be read; and what is read can be written and read again.
    static let forwarded = FuzzTarget("forwarded", maximumBytes: 200) { bytes in
        // What can stand in a field: it comes here trimmed.
        let text = bytes.filter { $0 >= 0x20 && $0 < 0x7F || $0 == 0x09 }.text
        let address = IPAddress("203.0.113.7")!
        let client = Client(identity: .address(address), isSecure: true, isProxied: true)
        let unread = Client(identity: .address(proxy.address), isSecure: false, isProxied: true)
        let listed = found([(.xForwardedFor, text), (.xForwardedFor, "203.0.113.7"), (.xForwardedProto, "https")])
        if listed != client { return "X-Forwarded-For: another client than the proxy's" }
        for hop in ["for=203.0.113.7;proto=https", #"for="203.0.113.7:1";proto="https""#] {
            let told = found([(.forwarded, text), (.forwarded, hop)])
            if told != client, told != unread { return "Forwarded: another client than the proxy's" }
        }
        let stranger = SocketAddress(address: address, port: 1)
        let fields: HTTPFields = [.forwarded: text, .xForwardedFor: text, .xForwardedProto: text]
        let direct = Client(identity: client.identity, isSecure: false, isProxied: false)
        if trusted.client(of: fields, peer: stranger, isSecure: false) != direct { return "a stranger was believed" }
        if !trusted.client(of: fields, peer: proxy, isSecure: false).isProxied { return "a proxy that is none" }
        if let hops = ForwardedHop.list(text) {
            let again = ForwardedHop.list(hops.map(written).joined(separator: ", "))
            if again != hops { return "another list when written again" }
        }
        return nil
    }

    private static let proxy = SocketAddress(address: IPAddress("10.0.0.1")!, port: 1)
    private static let trusted = TrustedProxies([AddressRange("10.0.0.0/8")!])

    private static func found(_ fields: [(HTTPField.Name, String)]) -> Client {
        trusted.client(
            of: HTTPFields(fields.map { HTTPField(name: $0, value: $1) }), peer: proxy, isSecure: false)
    }

    private static func written(_ hop: ForwardedHop) -> String {
        let node =
            switch hop.node {
            // All that may stand without brackets may stand in them.
            case .address(let text): "[\(text)]"
            case .obfuscated(let name): name
            case .unknown: "unknown"
            }
        let scheme = hop.scheme.map { ";proto=\"\($0.map { "\\\($0)" }.joined())\"" } ?? ""
        return "for=\"\(node)\"\(scheme)"
    }
}
