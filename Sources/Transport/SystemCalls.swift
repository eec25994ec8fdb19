#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The calls by which a socket moves bytes, so that tests can script what the kernel answers.
///
/// Each returns what the call returned, or the negated `errno`.
public struct SystemCalls: Sendable {
    public var receive: @Sendable (_ descriptor: Int32, _ into: UnsafeMutableRawBufferPointer) -> Int
    /// Takes up to `count` bytes out of what has arrived without handing them over.
    public var discard: @Sendable (_ descriptor: Int32, _ count: Int) -> Int
    public var send: @Sendable (_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int
    /// Sends two buffers, one after the other.
    public var sendPair:
        @Sendable (_ descriptor: Int32, _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer) -> Int
    public var accept: @Sendable (_ descriptor: Int32, _ peer: inout sockaddr_storage) -> Int

    public init(
        receive: @escaping @Sendable (Int32, UnsafeMutableRawBufferPointer) -> Int,
        discard: @escaping @Sendable (Int32, Int) -> Int,
        send: @escaping @Sendable (Int32, UnsafeRawBufferPointer) -> Int,
        sendPair: @escaping @Sendable (Int32, UnsafeRawBufferPointer, UnsafeRawBufferPointer) -> Int,
        accept: @escaping @Sendable (Int32, inout sockaddr_storage) -> Int
    ) {
        self.receive = receive
        self.discard = discard
        self.send = send
        self.sendPair = sendPair
        self.accept = accept
    }

    /// The kernel's own. No SIGPIPE: a connection that is gone is EPIPE.
    public static let kernel = SystemCalls(
        receive: { descriptor, buffer in
            orErrno(recv(descriptor, buffer.baseAddress, buffer.count, 0))
        },
        // Of TCP, Linux drops what it would have copied (tcp(7)).
        discard: { descriptor, count in orErrno(recv(descriptor, nil, count, Int32(MSG_TRUNC))) },
        send: { descriptor, bytes in
            #if canImport(Glibc)
            orErrno(Glibc.send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL)))
            #else
            orErrno(Musl.send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL)))
            #endif
        },
        sendPair: { descriptor, first, second in
            withUnsafeTemporaryAllocation(of: iovec.self, capacity: 2) { vectors in
                vectors[0] = iovec(iov_base: UnsafeMutableRawPointer(mutating: first.baseAddress), iov_len: first.count)
                vectors[1] = iovec(
                    iov_base: UnsafeMutableRawPointer(mutating: second.baseAddress), iov_len: second.count)
                var message = msghdr()
                message.msg_iov = vectors.baseAddress
                message.msg_iovlen = 2
                return orErrno(sendmsg(descriptor, &message, Int32(MSG_NOSIGNAL)))
            }
        },
        accept: { descriptor, peer in
            var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
            return withUnsafeMutablePointer(to: &peer) { storage in
                storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                    #if canImport(Glibc)
                    orErrno(Int(Glibc.accept(descriptor, address, &length)))
                    #else
                    orErrno(Int(Musl.accept(descriptor, address, &length)))
                    #endif
                }
            }
        })

    @inline(__always)
    private static func orErrno(_ result: Int) -> Int { result < 0 ? -Int(errno) : result }
}
