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
        let client = Client.address(address)
        if found([(.xForwardedFor, text), (.xForwardedFor, "203.0.113.7")]) != client {
            return "X-Forwarded-For: another client than the proxy's"
        }
        for hop in ["for=203.0.113.7;proto=https", #"for="203.0.113.7:1";proto="https""#] {
            let told = found([(.forwarded, text), (.forwarded, hop)])
            if told != client, told != .address(proxy.address) { return "Forwarded: another client than the proxy's" }
        }
        let stranger = SocketAddress(address: address, port: 1)
        let fields: HTTPFields = [.forwarded: text, .xForwardedFor: text]
        let direct = RequestOrigin(peer: stranger, proxies: trusted, fields: fields)
        if direct.client != client || direct.isProxied { return "a stranger was believed" }
        if !RequestOrigin(peer: proxy, proxies: trusted, fields: fields).isProxied { return "a proxy that is none" }
        if let nodes = ForwardedNode.forwarded(text, last: 200) {
            let again = ForwardedNode.forwarded(nodes.map(written).joined(separator: ", "), last: 200)
            if again != nodes { return "another list when written again" }
            if ForwardedNode.forwarded(text, last: 2) != Array(nodes.suffix(2)) { return "another end of the list" }
        }
        return nil
    }

    private static let proxy = SocketAddress(address: IPAddress("10.0.0.1")!, port: 1)
    private static let trusted = TrustedProxies([AddressRange("10.0.0.0/8")!])

    private static func found(_ fields: [(HTTPField.Name, String)]) -> Client {
        RequestOrigin(
            peer: proxy, proxies: trusted, fields: HTTPFields(fields.map { HTTPField(name: $0, value: $1) })
        ).client
    }

    private static func written(_ node: ForwardedNode) -> String {
        let text =
            switch node {
            // All that may stand without brackets may stand in them.
            case .address(let text): "[\(text)]"
            case .obfuscated(let name): name
            case .unknown: "unknown"
            }
        return "for=\"\(text)\""
    }
}
