#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// An IPv4 or IPv6 address with its port.
public struct SocketAddress: Sendable, Equatable, CustomStringConvertible {
    /// In network order: 4 bytes, or 16.
    private var bytes: [UInt8]
    public var port: Int

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
        guard let address else { return nil }
        (bytes, port) = address
        // An IPv4 client of a dual-stack socket (RFC 4291 §2.5.5.2).
        if bytes.count == 16, bytes[..<10].allSatisfy({ $0 == 0 }), bytes[10] == 0xFF, bytes[11] == 0xFF {
            bytes = [UInt8](bytes[12...])
        }
    }

    /// 127.0.0.0/8 or ::1.
    public var isLoopback: Bool {
        bytes.count == 4 ? bytes[0] == 127 : bytes.last == 1 && bytes.dropLast().allSatisfy { $0 == 0 }
    }

    /// The address without the port and without brackets.
    public var host: String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        inet_ntop(bytes.count == 4 ? AF_INET : AF_INET6, bytes, &text, socklen_t(text.count))
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// `host:port`, IPv6 in brackets.
    public var description: String { bytes.count == 4 ? "\(host):\(port)" : "[\(host)]:\(port)" }
}
