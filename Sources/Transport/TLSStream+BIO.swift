import COpenSSL

/// A source and sink of OpenSSL's that is a `TLSStream`'s socket.
extension TLSStream {
    static func makeBIO() -> OpaquePointer? {
        guard let bio = BIO_new(method) else { return nil }
        BIO_set_init(bio, 1)
        return bio
    }

    // Made once, never changed, never freed.
    nonisolated(unsafe) private static let method: OpaquePointer? = {
        let method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "swiftlet socket")
        BIO_meth_set_read(method) { bio, bytes, count in
            guard let bio, let bytes, count > 0 else { return -1 }
            return TLSStream.of(bio).read(bio, UnsafeMutableRawBufferPointer(start: bytes, count: Int(count)))
        }
        BIO_meth_set_write(method) { bio, bytes, count in
            guard let bio, let bytes, count > 0 else { return -1 }
            return TLSStream.of(bio).write(bio, UnsafeRawBufferPointer(start: bytes, count: Int(count)))
        }
        // Nothing is buffered here; all other questions are answered with no.
        BIO_meth_set_ctrl(method) { _, command, _, _ in command == BIO_CTRL_FLUSH ? 1 : 0 }
        return method
    }()

    private static func of(_ bio: OpaquePointer) -> TLSStream {
        Unmanaged<TLSStream>.fromOpaque(BIO_get_data(bio)).takeUnretainedValue()
    }

    private func read(_ bio: OpaquePointer, _ buffer: UnsafeMutableRawBufferPointer) -> Int32 {
        BIO_clear_flags(bio, BIO_FLAGS_READ | BIO_FLAGS_WRITE | BIO_FLAGS_IO_SPECIAL | BIO_FLAGS_SHOULD_RETRY)
        switch socket.receive(into: buffer) {
        case .bytes(let count):
            // A record begins with a number below 0x19, or one above 0x7F in an ancient hello; a method with a letter.
            if !hasReceived, (0x41...0x5A).contains(buffer[0]) {
                sawPlainText = true
                return -1
            }
            hasReceived = true
            return Int32(count)
        case .endOfStream:
            // Told as an interruption: for OpenSSL an end without farewell is fatal, and nothing could be sent any more.
            sawEnd = true
            BIO_set_flags(bio, BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY)
            return -1
        case .wouldBlock:
            wouldBlock = true
            BIO_set_flags(bio, BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY)
            return -1
        case .failed(let error):
            socketError = error
            return -1
        }
    }

    private func write(_ bio: OpaquePointer, _ bytes: UnsafeRawBufferPointer) -> Int32 {
        BIO_clear_flags(bio, BIO_FLAGS_READ | BIO_FLAGS_WRITE | BIO_FLAGS_IO_SPECIAL | BIO_FLAGS_SHOULD_RETRY)
        switch socket.send(bytes) {
        case .bytes(let count): return Int32(count)
        case .wouldBlock:
            wouldBlock = true
            BIO_set_flags(bio, BIO_FLAGS_WRITE | BIO_FLAGS_SHOULD_RETRY)
            return -1
        case .failed(let error):
            socketError = error
            return -1
        }
    }
}
