import COpenSSL

/// How a test's client speaks TLS.
public struct TLSClientOptions {
    public enum Version: Int32, Sendable { case tls11 = 0x302, tls12 = 0x303, tls13 = 0x304 }

    public var minimum = Version.tls12
    public var maximum = Version.tls13
    /// What it offers by ALPN.
    public var protocols: [String] = []
    /// Whom it trusts; nil trusts everybody.
    public var authority: TestCertificate?
    public var identity: TestCertificate?
    /// Of an earlier connection.
    public var session: TLSClientSession?

    public init(_ change: (inout TLSClientOptions) -> Void = { _ in }) { change(&self) }
}

public final class TLSClientSession {
    let pointer: OpaquePointer

    init(_ pointer: OpaquePointer) { self.pointer = pointer }

    deinit { SSL_SESSION_free(pointer) }
}

public struct TLSClientError: Error, Equatable, CustomStringConvertible {
    /// As OpenSSL words it, alerts of the server's included.
    public var reason: String

    public var description: String { reason }
}

/// The client's side of TLS between two buffers in memory: whoever has it moves the bytes.
final class TLSLayer {
    private let context: OpaquePointer
    let ssl: OpaquePointer
    private let input: OpaquePointer
    private let output: OpaquePointer

    init(_ options: TLSClientOptions) {
        context = SSL_CTX_new(TLS_client_method())
        SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, Int(options.minimum.rawValue), nil)
        SSL_CTX_ctrl(context, SSL_CTRL_SET_MAX_PROTO_VERSION, Int(options.maximum.rawValue), nil)
        if options.minimum == .tls11 { SSL_CTX_set_security_level(context, 0) }
        if let authority = options.authority {
            X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority.certificate)
            SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
        }
        if let identity = options.identity {
            SSL_CTX_use_certificate(context, identity.certificate)
            SSL_CTX_use_PrivateKey(context, identity.key)
        }
        ssl = SSL_new(context)
        input = BIO_new(BIO_s_mem())
        output = BIO_new(BIO_s_mem())
        SSL_set_bio(ssl, input, output)
        SSL_set_connect_state(ssl)
        let list = options.protocols.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
        if !list.isEmpty { SSL_set_alpn_protos(ssl, list, UInt32(list.count)) }
        if let session = options.session { SSL_set_session(ssl, session.pointer) }
    }

    deinit {
        SSL_free(ssl)
        SSL_CTX_free(context)
    }

    func feed(_ bytes: ArraySlice<UInt8>) {
        bytes.withUnsafeBytes { _ = BIO_write(input, $0.baseAddress, Int32($0.count)) }
    }

    func takeOutput() -> [UInt8] { MemoryBIO.drain(output) }

    /// - Returns: whether the handshake is done.
    func shakeHands() throws -> Bool { try check(call { SSL_do_handshake(ssl) }) > 0 }

    func encrypt(_ bytes: [UInt8]) throws {
        guard !bytes.isEmpty else { return }
        _ = try check(call { SSL_write(ssl, bytes, Int32(bytes.count)) })
    }

    /// What has been received and can be read; empty where more is needed or the server has said its farewell.
    func decrypt() throws -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = try check(call { SSL_read(ssl, &chunk, Int32(chunk.count)) })
            if count <= 0 { return bytes }
            bytes += chunk[..<Int(count)]
        }
    }

    private func call(_ work: () -> Int32) -> Int32 {
        ERR_clear_error()
        return work()
    }

    private func check(_ result: Int32) throws -> Int32 {
        switch SSL_get_error(ssl, result) {
        case SSL_ERROR_NONE, SSL_ERROR_WANT_READ, SSL_ERROR_ZERO_RETURN: return result
        default:
            let code = ERR_get_error()
            throw TLSClientError(reason: ERR_reason_error_string(code).map { String(cString: $0) } ?? "\(code)")
        }
    }
}

extension RawClient {
    public convenience init(port: Int, tls options: TLSClientOptions) throws {
        try self.init(port: port)
        try startTLS(options)
    }

    /// Such as `TLSv1.3`.
    public var tlsVersion: String? { layer.map { String(cString: SSL_get_version($0.ssl)) } }

    public var tlsCipher: String? {
        layer.flatMap { SSL_CIPHER_get_name(SSL_get_current_cipher($0.ssl)) }.map { String(cString: $0) }
    }

    public var isResumed: Bool { layer.map { SSL_session_reused($0.ssl) == 1 } ?? false }

    /// What the server chose by ALPN.
    public var chosenProtocol: String? {
        guard let layer else { return nil }
        var bytes: UnsafePointer<UInt8>?
        var count: UInt32 = 0
        SSL_get0_alpn_selected(layer.ssl, &bytes, &count)
        return bytes.map { String(decoding: UnsafeBufferPointer(start: $0, count: Int(count)), as: UTF8.self) }
    }

    public var receivedCloseNotify: Bool {
        layer.map { SSL_get_shutdown($0.ssl) & SSL_RECEIVED_SHUTDOWN != 0 } ?? false
    }

    /// For a further connection; with TLS 1.3 it is there once something has been received.
    public var session: TLSClientSession? { layer.flatMap { SSL_get1_session($0.ssl) }.map(TLSClientSession.init) }

    /// Says farewell by TLS, and leaves the connection open.
    public func sendCloseNotify() throws {
        guard let layer else { return }
        SSL_shutdown(layer.ssl)
        try sendRaw(layer.takeOutput())
    }

    /// Asks for a new handshake on the connection, which TLS 1.3 does not know.
    ///
    /// - Throws: `TLSClientError` where the server will not.
    public func renegotiate() throws {
        guard let layer else { return }
        SSL_renegotiate(layer.ssl)
        try completeHandshake()
    }

    /// Asks the server to change its keys. Source: RFC 8446 §4.6.3.
    public func updateKeys() throws {
        guard let layer else { return }
        SSL_key_update(layer.ssl, SSL_KEY_UPDATE_REQUESTED)
        _ = SSL_do_handshake(layer.ssl)
        try sendRaw(layer.takeOutput())
    }
}
