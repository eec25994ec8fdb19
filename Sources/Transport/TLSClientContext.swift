import COpenSSL

/// What TLS connections to a server begin with that is not asked who it is: the same machine's, reached by an address
/// that its certificate need not name. Nothing that is a secret may go over them.
///
/// Concurrency: not changed after `init`; OpenSSL counts references to it by itself.
public final class TLSClientContext: @unchecked Sendable {
    let pointer: OpaquePointer

    /// - Throws: `TLSError.unavailable`.
    public init() throws(TLSError) {
        ERR_clear_error()
        guard let context = SSL_CTX_new(TLS_client_method()) else { throw .unavailable(TLSError.takeReason()) }
        SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, Int(TLS1_2_VERSION), nil)
        SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nil)
        // A record without data is told, so that whoever waits looks at the time.
        SSL_CTX_ctrl(context, SSL_CTRL_CLEAR_MODE, Int(SSL_MODE_AUTO_RETRY), nil)
        pointer = context
    }

    deinit { SSL_CTX_free(pointer) }
}
