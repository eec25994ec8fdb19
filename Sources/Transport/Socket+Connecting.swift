import Parallelism

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

extension Socket {
    /// A socket that is connected to the first address that `host` resolves to and that takes the connection. Blocks.
    ///
    /// - Parameter deadline: for all addresses together; resolving a name is not cut short by it: whoever cannot wait for
    ///   that calls this from a thread that can.
    /// - Throws: `SocketError` with `resolve`, `socket`, `setNonBlocking` or `connect`: that of the last address tried.
    public static func connected(host: String, port: Int, by deadline: Instant) throws(SocketError) -> Socket {
        try atFirstAddress(of: host, port: port) { (address) throws(SocketError) in try connected(address, by: deadline)
        }
    }

    private static func connected(_ address: addrinfo, by deadline: Instant) throws(SocketError) -> Socket {
        let descriptor = socket(address.ai_family, address.ai_socktype, address.ai_protocol)
        guard descriptor >= 0 else { throw SocketError(operation: .socket, code: errno) }
        let connected = Socket(owning: descriptor)
        try prepareStream(descriptor)
        guard connect(descriptor, address.ai_addr, address.ai_addrlen) != 0 else { return connected }
        guard errno == EINPROGRESS else { throw SocketError(operation: .connect, code: errno) }
        guard connected.wait(until: .writable, by: deadline) else {
            throw SocketError(operation: .connect, code: ETIMEDOUT)
        }
        var code: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length) == 0 else {
            throw SocketError(operation: .connect, code: errno)
        }
        guard code == 0 else { throw SocketError(operation: .connect, code: code) }
        return connected
    }

    /// Blocks until the descriptor can be read or written, or has failed, which the next call tells.
    ///
    /// - Returns: false at the deadline.
    public func wait(until direction: Readiness.Direction, by deadline: Instant) -> Bool {
        Self.wait(for: descriptor, until: direction, by: deadline)
    }

    static func wait(for descriptor: Int32, until direction: Readiness.Direction, by deadline: Instant) -> Bool {
        let clock = MonotonicClock()
        var entry = pollfd(fd: descriptor, events: Int16(direction == .readable ? POLLIN : POLLOUT), revents: 0)
        while true {
            let nanoseconds = deadline.nanoseconds(since: clock.now())
            guard nanoseconds > 0 else { return false }
            let result = poll(&entry, 1, Int32(clamping: (nanoseconds - 1) / 1_000_000 + 1))
            if result > 0 { return true }
            if result < 0, errno != EINTR { return true }
        }
    }
}
