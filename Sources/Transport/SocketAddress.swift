#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// An IPv4 or IPv6 address with its port.
public struct SocketAddress: Sendable, Equatable, CustomStringConvertible {
    public var address: IPAddress
    public var port: Int

    public init(address: IPAddress, port: Int) {
        self.address = address
        self.port = port
    }

    /// - Returns: nil where the family is neither IPv4 nor IPv6.
    init?(_ storage: sockaddr_storage) {
        let address = withUnsafeBytes(of: storage) { raw -> ([UInt8], Int)? in
            switch Int32(storage.ss_family) {
            case AF_INET:
                let address = raw.loadUnaligned(as: sockaddr_in.self)
                return (withUnsafeBytes(of: address.sin_addr) { [UInt8]($0) }, Int(UInt16(bigEndian: address.sin_port)))
            case AF_INET6:
                let address = raw.loadUnaligned(as: sockaddr_in6.self)
                return (
                    withUnsafeBytes(of: address.sin6_addr) { [UInt8]($0) }, Int(UInt16(bigEndian: address.sin6_port))
                )
            default: return nil
            }
        }
        guard let (bytes, port) = address else { return nil }
        self.init(address: IPAddress(networkOrder: bytes), port: port)
    }

    /// 127.0.0.0/8 or ::1.
    public var isLoopback: Bool { address.isLoopback }

    /// The address without the port and without brackets.
    public var host: String { address.description }

    /// `host:port`, IPv6 in brackets.
    public var description: String {
        let host = host
        return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}
