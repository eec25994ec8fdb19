/// What moves a connection's bytes: TCP as it is, or TLS over it. One logic serves both.
public enum ByteStream: ~Copyable {
    case plain(Socket)
    case secure(TLSStream)

    public enum Received: Sendable, Equatable {
        case bytes(Int)
        /// The peer has ended its side. Whether TLS says so too does not matter to requests, whose ends are told by
        /// their own framing (RFC 9112 §9.8).
        case endOfStream
        case wouldBlock(Readiness.Direction)
        /// The handshake is done; bytes may follow at once.
        case handshaken(TLSHandshake)
        /// Something that is not for the reader, such as a refused renegotiation; more may have arrived.
        case nothing
        /// The first byte is a letter: a request in the clear. From here on bytes go out in the clear, too.
        case plainText
        /// The handshake has failed, and the peer been told why. What it still sends is of no use.
        case refused(TLSError)
        case failed(StreamFailure)
    }

    public enum Sent: Sendable, Equatable {
        case bytes(Int)
        case wouldBlock(Readiness.Direction)
        case failed(StreamFailure)
    }

    public var descriptor: Int32 {
        switch self {
        case .plain(let socket): socket.descriptor
        case .secure(let stream): stream.descriptor
        }
    }

    /// Whether the peer has sent a byte of a handshake.
    public var hasBegunHandshake: Bool {
        switch self {
        case .plain: false
        case .secure(let stream): stream.hasReceived
        }
    }

    /// Reads what has arrived, at most the buffer's size, which is not zero.
    public func receive(into buffer: UnsafeMutableRawBufferPointer) -> Received {
        switch self {
        case .plain(let socket): Received(socket.receive(into: buffer))
        case .secure(let stream): stream.receive(into: buffer)
        }
    }

    /// Drops what has arrived, at most `count` bytes; nil where the bytes have to be seen to be counted.
    public func discard(_ count: Int) -> Received? {
        switch self {
        case .plain(let socket): Received(socket.discard(count))
        case .secure: nil
        }
    }

    /// Asks to be told no sooner than so many bytes can be dropped at once.
    public func setReceiveLowWater(_ count: Int) {
        switch self {
        // Only spares wake-ups: it does not matter where it fails.
        case .plain(let socket): try? socket.setReceiveLowWater(count)
        case .secure: break
        }
    }

    /// Sends as much of `first` and then `second` as is taken now; either may be empty. After `wouldBlock` the next
    /// call must begin with the same bytes.
    public func send(_ first: UnsafeRawBufferPointer, then second: UnsafeRawBufferPointer) -> Sent {
        switch self {
        case .plain(let socket): Sent(socket, first, second)
        case .secure(let stream): stream.send(first, then: second)
        }
    }

    /// Ends the sending side, by TLS and by TCP; what is received afterwards is only good for dropping.
    ///
    /// - Returns: false where it must be called again once the descriptor can be written.
    public func finishSending() -> Bool {
        switch self {
        case .plain(let socket):
            // Fails where the peer is gone already, which the next read tells as well.
            try? socket.shutdownSending()
            return true
        case .secure(let stream): return stream.finishSending()
        }
    }

    /// Tells the peer that the end is meant, if that can be done at once. Call before the stream is let go.
    public func sayGoodbye() {
        switch self {
        case .plain: break
        case .secure(let stream): stream.sayGoodbye()
        }
    }
}

/// Why a stream can be used no more.
public enum StreamFailure: Error, Equatable, Sendable, CustomStringConvertible {
    case socket(SocketError)
    case tls(TLSError)

    public var description: String {
        switch self {
        case .socket(let error): error.description
        case .tls(let error): error.description
        }
    }
}

extension ByteStream.Received {
    init(_ received: Socket.Received) {
        switch received {
        case .bytes(let count): self = .bytes(count)
        case .endOfStream: self = .endOfStream
        case .wouldBlock: self = .wouldBlock(.readable)
        case .failed(let error): self = .failed(.socket(error))
        }
    }
}

extension ByteStream.Sent {
    init(_ socket: borrowing Socket, _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer) {
        switch second.isEmpty ? socket.send(first) : socket.send(first, then: second) {
        case .bytes(let count): self = .bytes(count)
        case .wouldBlock: self = .wouldBlock(.writable)
        case .failed(let error): self = .failed(.socket(error))
        }
    }
}
