#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Whoever started the process and wants to know how it stands, such as systemd: told by datagrams.
///
/// Source: sd_notify(3), "Notes"; sd_watchdog_enabled(3).
public final class Supervisor: Sendable {
    public enum State: Equatable, Sendable {
        case ready
        /// Files are read again; `ready` follows. Units: microseconds of the monotonic clock.
        case reloading(sinceMicroseconds: Int64)
        case stopping
        /// A sign of life.
        case alive
    }

    /// Within what time it wants each sign of life; nil where it wants none.
    public let watchdogMicroseconds: Int64?
    private let descriptor: Int32
    private let address: sockaddr_un
    private let addressLength: socklen_t

    /// The one that `NOTIFY_SOCKET` names; nil where the variable is not there.
    ///
    /// - Throws: `address` where it is neither an absolute path nor an abstract name or too long, `socket`.
    public static func named(in environment: [String: String]) throws(SocketError) -> Supervisor? {
        guard let name = environment["NOTIFY_SOCKET"], !name.isEmpty else { return nil }
        return try Supervisor(name, environment)
    }

    private init(_ name: String, _ environment: [String: String]) throws(SocketError) {
        var bytes = Array(name.utf8)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        guard bytes[0] == UInt8(ascii: "/") || bytes[0] == UInt8(ascii: "@"), bytes.count > 1,
            bytes.count < MemoryLayout.size(ofValue: address.sun_path)
        else { throw SocketError(operation: .address, code: EINVAL) }
        // Abstract names begin with a zero byte.
        if bytes[0] == UInt8(ascii: "@") { bytes[0] = 0 }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        self.address = address
        addressLength = socklen_t(MemoryLayout.offset(of: \sockaddr_un.sun_path)! + bytes.count)
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw SocketError(operation: .socket, code: errno) }
        let isMeant = environment["WATCHDOG_PID"].map { $0 == String(getpid()) } ?? true
        watchdogMicroseconds =
            isMeant ? environment["WATCHDOG_USEC"].flatMap { Int64($0) }.flatMap { $0 > 0 ? $0 : nil } : nil
    }

    deinit { close(descriptor) }

    /// Does not wait: what the supervisor has no room for is an error.
    public func tell(_ state: State) throws(SocketError) {
        let bytes = Array(state.text.utf8)
        let sent = withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT), $0, addressLength)
            }
        }
        guard sent == bytes.count else { throw SocketError(operation: .send, code: errno) }
    }
}

extension Supervisor.State {
    var text: String {
        switch self {
        case .ready: "READY=1"
        case .reloading(let microseconds): "RELOADING=1\nMONOTONIC_USEC=\(microseconds)"
        case .stopping: "STOPPING=1"
        case .alive: "WATCHDOG=1"
        }
    }
}
