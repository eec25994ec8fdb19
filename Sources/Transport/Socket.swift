#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The owner of a non-blocking TCP socket's descriptor, which is closed with it.
public struct Socket: ~Copyable, Sendable {
    public let descriptor: Int32
    private let calls: SystemCalls

    /// Takes ownership of a descriptor that is non-blocking already.
    public init(owning descriptor: Int32, calls: SystemCalls = .kernel) {
        self.descriptor = descriptor
        self.calls = calls
    }

    deinit { close(descriptor) }

    public enum Received: Sendable, Equatable {
        case bytes(Int)
        case endOfStream
        case wouldBlock
        case failed(SocketError)
    }

    public enum Sent: Sendable, Equatable {
        case bytes(Int)
        case wouldBlock
        case failed(SocketError)
    }

    /// Reads what has arrived, at most the buffer's size, which is not zero.
    public func receive(into buffer: UnsafeMutableRawBufferPointer) -> Received {
        while true {
            if let received = Self.received(calls.receive(descriptor, buffer)) { return received }
        }
    }

    /// Drops what has arrived, at most `count` bytes, which is not zero.
    public func discard(_ count: Int) -> Received {
        while true {
            if let received = Self.received(calls.discard(descriptor, count)) { return received }
        }
    }

    /// - Returns: nil where the call was interrupted and is to be made again.
    @inline(__always)
    private static func received(_ result: Int) -> Received? {
        if result > 0 { return .bytes(result) }
        if result == 0 { return .endOfStream }
        switch Int32(-result) {
        case EINTR: return nil
        case EAGAIN: return .wouldBlock
        case let code: return .failed(SocketError(operation: .receive, code: code))
        }
    }

    /// Has the socket count as readable once so many bytes have arrived, or the end. The kernel may wake sooner.
    ///
    /// - Throws: `SocketError` with `setOption`.
    public func setReceiveLowWater(_ count: Int) throws(SocketError) {
        try Self.setOption(descriptor, SOL_SOCKET, SO_RCVLOWAT, Int32(clamping: count))
    }

    /// Sends as much as the kernel takes now.
    public func send(_ bytes: UnsafeRawBufferPointer) -> Sent {
        while true {
            if let sent = Self.sent(calls.send(descriptor, bytes)) { return sent }
        }
    }

    /// Sends as much of `first` and then `second` as the kernel takes now, in one call.
    public func send(_ first: UnsafeRawBufferPointer, then second: UnsafeRawBufferPointer) -> Sent {
        while true {
            if let sent = Self.sent(calls.sendPair(descriptor, first, second)) { return sent }
        }
    }

    /// - Returns: nil where the call was interrupted and is to be made again.
    @inline(__always)
    private static func sent(_ result: Int) -> Sent? {
        if result >= 0 { return .bytes(result) }
        switch Int32(-result) {
        case EINTR: return nil
        case EAGAIN: return .wouldBlock
        case let code: return .failed(SocketError(operation: .send, code: code))
        }
    }

    /// Ends the sending side; the peer reads end of stream after what was sent.
    ///
    /// - Throws: `SocketError` with `shutdown`, when the connection is gone already.
    public func shutdownSending() throws(SocketError) {
        guard shutdown(descriptor, Int32(SHUT_WR)) == 0 else {
            throw SocketError(operation: .shutdown, code: errno)
        }
    }

    /// The next connection that waits on this listening socket, or nil where none does.
    ///
    /// - Throws: `SocketError` with `accept` (see `isExhaustion`) or `setNonBlocking`. A connection that was given up
    ///   while it waited is passed over.
    public func accept() throws(SocketError) -> Accepted? {
        while true {
            var storage = sockaddr_storage()
            let result = calls.accept(descriptor, &storage)
            guard result < 0 else {
                let accepted = Socket(owning: Int32(result), calls: calls)
                try Self.prepareStream(accepted.descriptor)
                return Accepted(socket: accepted, peer: SocketAddress(storage))
            }
            switch Int32(-result) {
            // The connection failed before it was taken (accept(2), "Error handling").
            case EINTR, ECONNABORTED, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, ENETUNREACH:
                continue
            case EAGAIN: return nil
            case let code: throw SocketError(operation: .accept, code: code)
            }
        }
    }

    public struct Accepted: ~Copyable, Sendable {
        public let socket: Socket
        public let peer: SocketAddress?

        /// The socket alone, for whoever has read `peer` already.
        public consuming func takeSocket() -> Socket { socket }
    }

    /// accept4 would save two calls a connection, but the C module does not export it.
    static func prepareStream(_ descriptor: Int32) throws(SocketError) {
        try setNonBlocking(descriptor)
        var on: Int32 = 1
        // Fails only where the peer has reset the connection, which the next read reports.
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    }

    static func setNonBlocking(_ descriptor: Int32) throws(SocketError) {
        let flags = fcntl(descriptor, F_GETFL)
        guard flags >= 0, fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) >= 0,
            fcntl(descriptor, F_SETFD, FD_CLOEXEC) >= 0
        else { throw SocketError(operation: .setNonBlocking, code: errno) }
    }
}
