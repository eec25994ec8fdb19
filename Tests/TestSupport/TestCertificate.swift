import COpenSSL

/// A certificate of a test's own, with its key: P-256, made on the spot.
public final class TestCertificate: @unchecked Sendable {  // not changed after `init`
    let certificate: OpaquePointer
    let key: OpaquePointer

    /// - Parameters:
    ///   - issuer: who signs it; nil makes an authority that signs itself.
    ///   - validSeconds: from an hour ago, or backwards from then.
    public init(_ name: String, issuer: TestCertificate? = nil, validSeconds: Int = 30 * 86_400) {
        key = Self.makeKey()
        certificate = X509_new()
        X509_set_version(certificate, 2)
        ASN1_INTEGER_set(X509_get_serialNumber(certificate), .random(in: 1...Int(Int32.max)))
        X509_gmtime_adj(X509_getm_notBefore(certificate), min(-3600, 2 * validSeconds))
        X509_gmtime_adj(X509_getm_notAfter(certificate), validSeconds)
        let subject = X509_get_subject_name(certificate)
        // MBSTRING_ASC, which is a macro.
        X509_NAME_add_entry_by_txt(subject, "CN", 0x1001, Array(name.utf8), Int32(name.utf8.count), -1, 0)
        X509_set_issuer_name(certificate, issuer.map { X509_get_subject_name($0.certificate) } ?? subject)
        X509_set_pubkey(certificate, key)
        if issuer == nil {
            add(NID_basic_constraints, "critical,CA:TRUE")
            add(NID_key_usage, "critical,keyCertSign,cRLSign")
        } else {
            add(NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1")
        }
        precondition(X509_sign(certificate, issuer?.key ?? key, EVP_sha256()) > 0, "cannot sign")
    }

    deinit {
        X509_free(certificate)
        EVP_PKEY_free(key)
    }

    private func add(_ kind: Int32, _ value: String) {
        let extra = X509V3_EXT_conf_nid(nil, nil, kind, value)
        X509_add_ext(certificate, extra, -1)
        X509_EXTENSION_free(extra)
    }

    private static func makeKey() -> OpaquePointer {
        let generator = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, nil)
        defer { EVP_PKEY_CTX_free(generator) }
        var key: OpaquePointer?
        EVP_PKEY_keygen_init(generator)
        EVP_PKEY_CTX_set_ec_paramgen_curve_nid(generator, NID_X9_62_prime256v1)
        EVP_PKEY_keygen(generator, &key)
        guard let key else { preconditionFailure("cannot make a key") }
        return key
    }

    public var certificatePEM: [UInt8] { Self.text { PEM_write_bio_X509($0, certificate) } }
    public var keyPEM: [UInt8] { Self.text { PEM_write_bio_PrivateKey($0, key, nil, nil, 0, nil, nil) } }
    public var encryptedKeyPEM: [UInt8] {
        let phrase = Array("phrase".utf8)
        return Self.text {
            PEM_write_bio_PrivateKey($0, key, EVP_aes_128_cbc(), phrase, Int32(phrase.count), nil, nil)
        }
    }

    private static func text(_ write: (OpaquePointer?) -> Int32) -> [UInt8] {
        let memory = BIO_new(BIO_s_mem())
        defer { BIO_free(memory) }
        precondition(write(memory) == 1, "cannot write PEM")
        return MemoryBIO.drain(memory)
    }
}

enum MemoryBIO {
    /// Takes out all that is in it.
    static func drain(_ bio: OpaquePointer?) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: BIO_ctrl_pending(bio))
        guard !bytes.isEmpty else { return [] }
        let count = BIO_read(bio, &bytes, Int32(bytes.count))
        precondition(count == bytes.count, "a memory BIO gave \(count) of \(bytes.count) bytes")
        return bytes
    }
}
