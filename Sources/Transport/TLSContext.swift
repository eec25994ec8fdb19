import COpenSSL

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The files that a server shows who it is with, all PEM.
public struct TLSConfiguration: Sendable, Equatable {
    /// The server's certificate, then those that lead to its authority.
    public var certificatePath: String
    public var keyPath: String
    /// Authorities of client certificates: where set, a client without one of theirs is refused.
    public var clientAuthorityPath: String?

    public init(certificatePath: String, keyPath: String, clientAuthorityPath: String? = nil) {
        self.certificatePath = certificatePath
        self.keyPath = keyPath
        self.clientAuthorityPath = clientAuthorityPath
    }
}

/// What all TLS connections of a server share: certificate, key, ciphers, and the secret that tickets are sealed with.
///
/// TLS 1.2 and 1.3; forward secrecy and authenticated encryption only; no renegotiation, no compression, no early data.
/// Sessions are resumed by tickets alone, so that nothing is kept for a client. The secret is made with the context:
/// a new one refuses the tickets of the one before, and with them clients that it no longer trusts.
///
/// Source: RFC 8446, RFC 5246, RFC 9325 (what to allow), RFC 7301 (ALPN).
///
/// Concurrency: not changed after `init`; OpenSSL counts references to it by itself.
public final class TLSContext: @unchecked Sendable {
    static let ciphersTLS13 = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
    static let ciphersTLS12 = ["AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305"]
        .flatMap { ["ECDHE-ECDSA-\($0)", "ECDHE-RSA-\($0)"] }.joined(separator: ":")
    static let groups = "X25519:P-256:P-384"
    /// Of a connection while it reads; an idle one has no buffer.
    static let readBufferBytes = 64 << 10

    let pointer: OpaquePointer
    /// When the server's certificate begins and ends to be valid. Units: seconds since 1970.
    public let validFrom: Int
    public let validUntil: Int

    /// Reads and checks the files.
    ///
    /// - Throws: `TLSError`, naming the file.
    public init(_ configuration: TLSConfiguration) throws(TLSError) {
        ERR_clear_error()
        guard let context = SSL_CTX_new(TLS_server_method()) else { throw .unavailable(TLSError.takeReason()) }
        do throws(TLSError) {
            try Self.setProtocol(context)
            try Self.loadIdentity(configuration, into: context)
            if let path = configuration.clientAuthorityPath { try Self.requireClients(of: path, context) }
            (validFrom, validUntil) = try Self.validity(context, configuration.certificatePath)
        } catch {
            SSL_CTX_free(context)
            throw error
        }
        pointer = context
    }

    deinit { SSL_CTX_free(pointer) }

    private static func setProtocol(_ context: OpaquePointer) throws(TLSError) {
        SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, Int(TLS1_2_VERSION), nil)
        SSL_CTX_ctrl(context, SSL_CTRL_SET_MAX_PROTO_VERSION, Int(TLS1_3_VERSION), nil)
        SSL_CTX_set_options(context, openssl_server_options)
        SSL_CTX_set_security_level(context, 2)
        guard SSL_CTX_set_cipher_list(context, ciphersTLS12) == 1,
            SSL_CTX_set_ciphersuites(context, ciphersTLS13) == 1
        else { throw .unavailable("the ciphers \(ciphersTLS12) and \(ciphersTLS13): \(TLSError.takeReason())") }
        let status = groups.withCString {
            SSL_CTX_ctrl(context, SSL_CTRL_SET_GROUPS_LIST, 0, UnsafeMutableRawPointer(mutating: $0))
        }
        guard status == 1 else { throw .unavailable("the groups \(groups): \(TLSError.takeReason())") }
        // What is left unsent may lie elsewhere the next time; buffers are let go while nothing is read.
        SSL_CTX_ctrl(
            context, SSL_CTRL_MODE,
            Int(SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS), nil)
        // A peer that sends records without data must not keep the library reading.
        SSL_CTX_ctrl(context, SSL_CTRL_CLEAR_MODE, Int(SSL_MODE_AUTO_RETRY), nil)
        SSL_CTX_ctrl(context, SSL_CTRL_SET_READ_AHEAD, 1, nil)
        SSL_CTX_set_default_read_buffer_len(context, readBufferBytes)
        SSL_CTX_ctrl(context, SSL_CTRL_SET_SESS_CACHE_MODE, Int(SSL_SESS_CACHE_OFF), nil)
        let name = Array("swiftlet".utf8)
        SSL_CTX_set_session_id_context(context, name, UInt32(name.count))
        SSL_CTX_set_alpn_select_cb(context, selectProtocol, nil)
    }

    /// `http/1.1` where the client offers protocols at all; one that offers only others is refused.
    private static let selectProtocol:
        @convention(c) (
            OpaquePointer?, UnsafeMutablePointer<UnsafePointer<UInt8>?>?, UnsafeMutablePointer<UInt8>?,
            UnsafePointer<UInt8>?, UInt32, UnsafeMutableRawPointer?
        ) -> Int32 = { _, selected, selectedCount, offered, offeredCount, _ in
            let list = UnsafeBufferPointer(start: offered, count: Int(offeredCount))
            var offset = 0
            while offset < list.count {
                let end = offset + 1 + Int(list[offset])
                guard end <= list.count else { break }
                if list[offset + 1..<end].elementsEqual("http/1.1".utf8) {
                    selected?.pointee = list.baseAddress! + offset + 1
                    selectedCount?.pointee = list[offset]
                    return SSL_TLSEXT_ERR_OK
                }
                offset = end
            }
            return SSL_TLSEXT_ERR_ALERT_FATAL
        }

    private static func loadIdentity(
        _ configuration: TLSConfiguration, into context: OpaquePointer
    ) throws(TLSError) {
        let (certificate, key) = (configuration.certificatePath, configuration.keyPath)
        // Without this an encrypted key would be asked for on the terminal.
        SSL_CTX_set_default_passwd_cb(context) { _, _, _, _ in 0 }
        guard SSL_CTX_use_certificate_chain_file(context, certificate) == 1 else {
            throw .certificate(path: certificate, reason: TLSError.takeReason())
        }
        guard SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) == 1 else {
            let code = ERR_peek_last_error()
            // It compares as it reads, where the kinds of key agree.
            if ERR_GET_LIB(code) == ERR_LIB_X509 {
                ERR_clear_error()
                throw .keyMismatch(certificate: certificate, key: key)
            }
            let reason = TLSError.takeReason()
            if key == certificate { throw .noPrivateKey(certificate: certificate) }
            throw .privateKey(path: key, reason: reason)
        }
        guard SSL_CTX_check_private_key(context) == 1 else {
            ERR_clear_error()
            throw .keyMismatch(certificate: certificate, key: key)
        }
    }

    private static func requireClients(of path: String, _ context: OpaquePointer) throws(TLSError) {
        guard SSL_CTX_load_verify_file(context, path) == 1, let names = SSL_load_client_CA_file(path) else {
            throw .clientAuthority(path: path, reason: TLSError.takeReason())
        }
        SSL_CTX_set_client_CA_list(context, names)
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
    }

    private static func validity(
        _ context: OpaquePointer, _ path: String
    ) throws(TLSError) -> (from: Int, until: Int) {
        guard let certificate = SSL_CTX_get0_certificate(context) else {
            throw .certificate(path: path, reason: "no certificate")
        }
        func seconds(_ time: UnsafePointer<ASN1_TIME>?) throws(TLSError) -> Int {
            var parts = tm()
            guard ASN1_TIME_to_tm(time, &parts) == 1 else { throw .certificate(path: path, reason: "malformed time") }
            return timegm(&parts)
        }
        return (
            try seconds(X509_get0_notBefore(certificate)), try seconds(X509_get0_notAfter(certificate))
        )
    }
}
