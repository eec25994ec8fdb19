import Parallelism

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A connection to a server, in the clear or by TLS, for whoever can wait: every call blocks, until one deadline for all.
public struct ClientStream: ~Copyable {
    private let stream: ByteStream
    private let deadline: Instant

    /// Connects, and with `tls` shakes hands.
    ///
    /// - Throws: `StreamFailure`; at the deadline a `SocketError` with `ETIMEDOUT`.
    public init(host: String, port: Int, tls: TLSClientContext?, by deadline: Instant) throws(StreamFailure) {
        self.deadline = deadline
        stream = try Self.open(host, port, tls, by: deadline)
    }

    private static func open(
        _ host: String, _ port: Int, _ tls: TLSClientContext?, by deadline: Instant
    ) throws(StreamFailure) -> ByteStream {
        let socket: Socket
        do throws(SocketError) { socket = try Socket.connected(host: host, port: port, by: deadline) } catch {
            throw .socket(error)
        }
        guard let tls else { return .plain(socket) }
        guard let secured = TLSStream(socket: socket, context: tls) else {
            throw .socket(SocketError(operation: .socket, code: ENOMEM))
        }
        try shakeHands(secured, by: deadline)
        return .secure(secured)
    }

    private static func shakeHands(_ stream: TLSStream, by deadline: Instant) throws(StreamFailure) {
        var byte: UInt8 = 0
        while true {
            try check(deadline, .receive)
            switch withUnsafeMutableBytes(of: &byte, { stream.receive(into: $0) }) {
            case .handshaken: return
            case .wouldBlock(let direction): try wait(for: stream.descriptor, until: direction, .receive, by: deadline)
            case .nothing: continue
            case .plainText: throw .tls(.handshake("the server answers in the clear"))
            case .bytes, .endOfStream: throw .tls(.handshake("the server has ended the connection"))
            case .refused(let error): throw .tls(error)
            case .failed(let failure): throw failure
            }
        }
    }

    /// Sends all of it.
    public func send(_ bytes: [UInt8]) throws(StreamFailure) {
        var offset = 0
        while offset < bytes.count {
            try Self.check(deadline, .send)
            let sent = bytes.withUnsafeBytes {
                stream.send(
                    UnsafeRawBufferPointer(rebasing: $0[offset...]), then: UnsafeRawBufferPointer(start: nil, count: 0))
            }
            switch sent {
            case .bytes(let count): offset += count
            case .wouldBlock(let direction):
                try Self.wait(for: stream.descriptor, until: direction, .send, by: deadline)
            case .failed(let failure): throw failure
            }
        }
    }

    /// What the server sends until it ends the connection, or the first `limit` bytes of it.
    public func receiveAll(limit: Int) throws(StreamFailure) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < limit, let piece = try receive(by: deadline) { bytes += piece }
        return Array(bytes.prefix(limit))
    }

    /// What the server sends next, some kilobytes at most; nil where it has ended the connection.
    ///
    /// - Parameter deadline: in place of the one for all.
    public func receive(by deadline: Instant) throws(StreamFailure) -> [UInt8]? {
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            try Self.check(deadline, .receive)
            switch chunk.withUnsafeMutableBytes({ stream.receive(into: $0) }) {
            case .bytes(let count): return Array(chunk[..<count])
            case .endOfStream: return nil
            case .wouldBlock(let direction):
                try Self.wait(for: stream.descriptor, until: direction, .receive, by: deadline)
            case .handshaken, .nothing: continue
            case .plainText: throw .tls(.record("the server answers in the clear"))
            case .refused(let error): throw .tls(error)
            case .failed(let failure): throw failure
            }
        }
    }

    /// A peer that always has a little more must not put the deadline off.
    private static func check(_ deadline: Instant, _ operation: SocketError.Operation) throws(StreamFailure) {
        guard MonotonicClock().now() < deadline else {
            throw .socket(SocketError(operation: operation, code: ETIMEDOUT))
        }
    }

    private static func wait(
        for descriptor: Int32, until direction: Readiness.Direction, _ operation: SocketError.Operation,
        by deadline: Instant
    ) throws(StreamFailure) {
        guard Socket.wait(for: descriptor, until: direction, by: deadline) else {
            throw .socket(SocketError(operation: operation, code: ETIMEDOUT))
        }
    }
}
