#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The supervisor's end of `NOTIFY_SOCKET`.
public final class NotifyListener: Sendable {
    /// What the variable says.
    public let path: String
    private let descriptor: Int32
    private let directory: TemporaryDirectory

    public struct Failure: Error {
        let code: Int32
    }

    /// - Parameter abstractName: nil means a file.
    public init(abstractName: String? = nil) throws {
        directory = try TemporaryDirectory()
        path = abstractName.map { "@\($0)" } ?? "\(directory.path)/notify"
        var bytes = Array(path.utf8)
        if abstractName != nil { bytes[0] = 0 }
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        guard descriptor >= 0, bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw Failure(code: errno)
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let length = socklen_t(MemoryLayout.offset(of: \sockaddr_un.sun_path)! + bytes.count)
        let code = withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) }
        }
        var limit = timeval(tv_sec: 30, tv_usec: 0)
        guard code == 0,
            setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size)) == 0
        else { throw Failure(code: errno) }
    }

    deinit { close(descriptor) }

    /// The next datagram; nil when none has come in half a minute.
    public func receive() -> String? {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        return count < 0 ? nil : String(decoding: buffer[..<count], as: UTF8.self)
    }
}
