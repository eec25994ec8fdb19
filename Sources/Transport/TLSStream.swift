import COpenSSL

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// What a handshake has come to.
public struct TLSHandshake: Sendable, Equatable {
    /// Such as `TLSv1.3`.
    public var version: String
    public var cipher: String
    public var isResumed: Bool
}

/// TLS on one connection. OpenSSL reads and writes through this stream's own socket, so that
/// SIGPIPE cannot come, and tests can script the kernel.
///
/// Concurrency: belongs to its connection's queue.
public final class TLSStream {
    private enum Phase {
        case handshaking
        case established
        /// Bytes go past TLS: an answer in the clear, or what is read to be dropped.
        case bypassed
    }

    let socket: Socket
    private let ssl: OpaquePointer
    private var phase = Phase.handshaking
    /// Told already by a read that also had bytes.
    private var next: ByteStream.Received?
    /// OpenSSL must not be asked again after a fatal error.
    private var hasFailed = false
    // What the socket said last, noted by the callbacks of OpenSSL's BIO.
    var hasReceived = false
    var sawPlainText = false
    var sawEnd = false
    var wouldBlock = false
    var socketError: SocketError?

    /// The server's side.
    ///
    /// - Returns: nil where memory has run out.
    public convenience init?(socket: consuming Socket, context: TLSContext) {
        self.init(socket: socket, context: context.pointer, begin: SSL_set_accept_state)
    }

    /// The client's side.
    ///
    /// - Returns: nil where memory has run out.
    public convenience init?(socket: consuming Socket, context: TLSClientContext) {
        self.init(socket: socket, context: context.pointer, begin: SSL_set_connect_state)
    }

    private init?(socket: consuming Socket, context: OpaquePointer, begin: (OpaquePointer?) -> Void) {
        self.socket = socket
        guard let ssl = SSL_new(context) else {
            ERR_clear_error()
            return nil
        }
        self.ssl = ssl
        guard let bio = Self.makeBIO() else {
            ERR_clear_error()
            return nil
        }
        BIO_set_data(bio, Unmanaged.passUnretained(self).toOpaque())
        SSL_set_bio(ssl, bio, bio)
        begin(ssl)
    }

    deinit { SSL_free(ssl) }

    var descriptor: Int32 { socket.descriptor }

    // MARK: Receiving

    func receive(into buffer: UnsafeMutableRawBufferPointer) -> ByteStream.Received {
        switch phase {
        case .handshaking: return shakeHands()
        case .established: return read(into: buffer)
        case .bypassed: return ByteStream.Received(socket.receive(into: buffer))
        }
    }

    private func shakeHands() -> ByteStream.Received {
        let result = call { SSL_do_handshake(ssl) }
        if result == 1 {
            phase = .established
            return .handshaken(
                TLSHandshake(
                    version: String(cString: SSL_get_version(ssl)),
                    cipher: SSL_CIPHER_get_name(SSL_get_current_cipher(ssl)).map { String(cString: $0) } ?? "",
                    isResumed: SSL_session_reused(ssl) == 1))
        }
        if sawPlainText {
            phase = .bypassed
            return .plainText
        }
        let outcome = outcome(of: result, error: TLSError.handshake)
        if case .failed(.tls(let error)) = outcome {
            phase = .bypassed
            return .refused(error)
        }
        return outcome
    }

    /// Fills the buffer from as many records as have arrived.
    private func read(into buffer: UnsafeMutableRawBufferPointer) -> ByteStream.Received {
        if let next = next.take() { return next }
        var count = 0
        while count < buffer.count {
            let result = call {
                SSL_read(ssl, buffer.baseAddress! + count, Int32(clamping: buffer.count - count))
            }
            guard result > 0 else {
                let outcome = outcome(of: result, error: TLSError.record)
                if count == 0 { return outcome }
                next = outcome
                break
            }
            count += Int(result)
        }
        return .bytes(count)
    }

    // MARK: Sending

    func send(_ first: UnsafeRawBufferPointer, then second: UnsafeRawBufferPointer) -> ByteStream.Sent {
        if phase == .bypassed { return ByteStream.Sent(socket, first, second) }
        var sent = 0
        for piece in [first, second] {
            var offset = 0
            while offset < piece.count {
                if hasFailed { return .failed(.tls(.record("already failed"))) }
                let result = call {
                    SSL_write(ssl, piece.baseAddress! + offset, Int32(clamping: piece.count - offset))
                }
                guard result > 0 else {
                    if sent > 0 { return .bytes(sent) }
                    switch outcome(of: result, error: TLSError.record) {
                    case .wouldBlock(let direction): return .wouldBlock(direction)
                    case .failed(let failure): return .failed(failure)
                    // The peer's end is nothing that a write meets.
                    default: return .wouldBlock(.writable)
                    }
                }
                offset += Int(result)
                sent += Int(result)
            }
        }
        return .bytes(sent)
    }

    func finishSending() -> Bool {
        if phase == .established, !hasFailed {
            let result = call { SSL_shutdown(ssl) }
            if result < 0, case .wouldBlock(.writable) = outcome(of: result, error: TLSError.record) { return false }
        }
        phase = .bypassed
        try? socket.shutdownSending()
        return true
    }

    func sayGoodbye() {
        guard phase == .established, !hasFailed else { return }
        _ = call { SSL_shutdown(ssl) }
        ERR_clear_error()
    }

    // MARK: OpenSSL's answers

    /// The error queue is the thread's, and threads serve connections in turn.
    private func call(_ work: () -> Int32) -> Int32 {
        ERR_clear_error()
        wouldBlock = false
        return work()
    }

    private func outcome(of result: Int32, error: (String) -> TLSError) -> ByteStream.Received {
        switch SSL_get_error(ssl, result) {
        case SSL_ERROR_WANT_READ:
            if sawEnd { return .endOfStream }
            // Not every record holds data.
            return wouldBlock ? .wouldBlock(.readable) : .nothing
        case SSL_ERROR_WANT_WRITE: return .wouldBlock(.writable)
        case SSL_ERROR_ZERO_RETURN: return .endOfStream
        case SSL_ERROR_SYSCALL:
            hasFailed = true
            ERR_clear_error()
            return .failed(.socket(socketError ?? SocketError(operation: .receive, code: EPROTO)))
        default:
            hasFailed = true
            return .failed(.tls(error(TLSError.takeReason())))
        }
    }
}
