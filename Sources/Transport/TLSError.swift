import COpenSSL

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// What is wrong with certificates and keys, or with a peer's TLS. Reasons are OpenSSL's.
public enum TLSError: Error, Equatable, Sendable {
    /// The chain cannot be read, or is too weak.
    case certificate(path: String, reason: String)
    case privateKey(path: String, reason: String)
    /// No key is named, and the certificate's file has none that can be used.
    case noPrivateKey(certificate: String)
    /// The key is not the certificate's.
    case keyMismatch(certificate: String, key: String)
    case clientAuthority(path: String, reason: String)
    /// The library refuses what every build of it should have.
    case unavailable(String)
    /// The peer offers nothing that is allowed, is not whom it must be, or has given up.
    case handshake(String)
    /// A record that cannot be: altered, or out of place.
    case record(String)
}

extension TLSError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .certificate(let path, let reason):
            "cannot use the certificate \(path): \(reason); expected a PEM chain that begins with the server's own"
        case .privateKey(let path, let reason):
            "cannot use the key \(path): \(reason); expected an unencrypted PEM key"
        case .noPrivateKey(let certificate):
            "the certificate's file \(certificate) has no unencrypted PEM key in it, and tlsKey names no other file"
        case .keyMismatch(let certificate, let key): "the key \(key) does not belong to the certificate \(certificate)"
        case .clientAuthority(let path, let reason):
            "cannot use the client authorities \(path): \(reason); expected PEM certificates"
        case .unavailable(let what): "OpenSSL does not offer \(what)"
        case .handshake(let reason): "TLS handshake: \(reason)"
        case .record(let reason): "TLS: \(reason)"
        }
    }

    /// The first reason in this thread's error queue, which is emptied.
    static func takeReason() -> String {
        let code = ERR_get_error()
        ERR_clear_error()
        guard code != 0 else { return "no reason given" }
        // System errors have no entry in the library's table.
        let number = UInt32(truncatingIfNeeded: code)
        if number & UInt32(bitPattern: Int32.min) != 0 { return String(cString: strerror(ERR_GET_REASON(code))) }
        guard let reason = ERR_reason_error_string(code) else { return "error \(code)" }
        return String(cString: reason)
    }
}
