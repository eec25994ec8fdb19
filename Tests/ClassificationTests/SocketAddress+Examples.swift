@testable import Transport

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

extension SocketAddress {
    static let loopback = example(0x7F00_0001)
    /// 203.0.113.7. Source: RFC 5737 §3.
    static let documentation = example(0xCB00_7107)

    private static func example(_ address: UInt32) -> SocketAddress {
        var storage = sockaddr_storage()
        withUnsafeMutableBytes(of: &storage) { bytes in
            var internet = sockaddr_in()
            internet.sin_family = sa_family_t(AF_INET)
            internet.sin_addr.s_addr = address.bigEndian
            withUnsafeBytes(of: internet) { bytes.copyMemory(from: $0) }
        }
        guard let result = SocketAddress(storage) else { preconditionFailure("no address") }
        return result
    }
}
