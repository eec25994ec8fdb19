#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A TCP port of 127.0.0.1 that refuses connections: a socket is bound to it, so that nobody else gets it, and never
/// listens. Until this is let go.
public final class ClosedPort: Sendable {
    public let number: Int
    private let descriptor: Int32

    public struct Failure: Error {
        let code: Int32
    }

    /// - Throws: `Failure` with the kernel's code.
    public init() throws(Failure) { (descriptor, number) = try ClosedPort.bound() }

    deinit { close(descriptor) }

    /// A blocking socket of the caller's own, bound to a port of 127.0.0.1 that was free.
    /// - Throws: `Failure` with the kernel's code.
    public static func bound() throws(Failure) -> (descriptor: Int32, port: Int) {
        #if canImport(Glibc)
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        #else
        let descriptor = socket(AF_INET, SOCK_STREAM, 0)
        #endif
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) | getsockname(descriptor, $0, &length)
            }
        }
        guard status == 0 else { throw Failure(code: errno) }
        return (descriptor, Int(UInt16(bigEndian: address.sin_port)))
    }
}
