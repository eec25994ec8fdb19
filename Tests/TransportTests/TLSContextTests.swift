import COpenSSL
import TestSupport
import Testing

@testable import Transport

/// What is wrong with the files, told at the start.
struct TLSContextTests {
    let directory: TemporaryDirectory
    let authority = TestCertificate("authority")
    let certificate: TestCertificate

    init() throws {
        directory = try TemporaryDirectory()
        certificate = TestCertificate("localhost", issuer: authority)
        try directory.write(certificate.certificatePEM, to: "certificate.pem")
        try directory.write(certificate.keyPEM, to: "key.pem")
    }

    private func context(
        _ certificate: String = "certificate.pem", _ key: String = "key.pem", authorities: String? = nil
    ) throws -> TLSContext {
        try TLSContext(
            TLSConfiguration(
                certificatePath: "\(directory.path)/\(certificate)", keyPath: "\(directory.path)/\(key)",
                clientAuthorityPath: authorities.map { "\(directory.path)/\($0)" }))
    }

    @Test func readsAChainAndItsKeyFromOneFileOrTwo() throws {
        _ = try context()
        try directory.write(
            certificate.keyPEM + certificate.certificatePEM + authority.certificatePEM, to: "both.pem")
        let both = try context("both.pem", "both.pem", authorities: "both.pem")
        // From an hour before now until thirty days after.
        #expect(both.validUntil - both.validFrom == 30 * 86_400 + 3600)
    }

    @Test func namesTheFileAndWhatIsWrong() throws {
        try directory.write("no PEM".utf8, to: "text.pem")
        try directory.write([], to: "empty.pem")
        try directory.write(certificate.encryptedKeyPEM, to: "encrypted.pem")
        func error(_ certificate: String = "certificate.pem", _ key: String = "key.pem", _ authorities: String? = nil)
            -> TLSError?
        {
            #expect(throws: TLSError.self) { try context(certificate, key, authorities: authorities) }
        }
        func path(_ name: String) -> String { "\(directory.path)/\(name)" }
        #expect(error("missing.pem") == .certificate(path: path("missing.pem"), reason: "No such file or directory"))
        for name in ["text.pem", "empty.pem", "key.pem"] {
            #expect(error(name) == .certificate(path: path(name), reason: "no start line"))
        }
        #expect(
            error("certificate.pem", "missing.pem")
                == .privateKey(path: path("missing.pem"), reason: "No such file or directory"))
        #expect(error("certificate.pem", "certificate.pem") == .noPrivateKey(certificate: path("certificate.pem")))
        for name in ["text.pem", "encrypted.pem"] {
            guard case .privateKey(path(name), _)? = error("certificate.pem", name) else {
                Issue.record("\(name)")
                continue
            }
        }
        guard case .clientAuthority(path("missing.pem"), _)? = error("certificate.pem", "key.pem", "missing.pem")
        else {
            Issue.record("no error for missing authorities")
            return
        }
        let description = "\(try #require(error("missing.pem")))"
        #expect(description.contains("missing.pem") && description.contains("PEM chain"))
    }

    @Test func refusesTheKeyOfAnotherCertificate() throws {
        try directory.write(TestCertificate("other").keyPEM, to: "other.pem")
        let error = #expect(throws: TLSError.self) { try context("certificate.pem", "other.pem") }
        #expect(
            error
                == .keyMismatch(
                    certificate: "\(directory.path)/certificate.pem", key: "\(directory.path)/other.pem"))
    }

    /// Records without data are told, to clients too, who could else not look at the time.
    @Test func noRecordKeepsAReadFromReturning() throws {
        let client = try TLSClientContext()
        let modes = SSL_CTX_ctrl(client.pointer, SSL_CTRL_MODE, 0, nil)
        #expect(modes & Int(SSL_MODE_AUTO_RETRY) == 0)
    }

    @Test func tellsWhenTheCertificateExpired() throws {
        let expired = TestCertificate("localhost", issuer: authority, validSeconds: -7200)
        try directory.write(expired.certificatePEM + expired.keyPEM, to: "expired.pem")
        let context = try context("expired.pem", "expired.pem")
        #expect(context.validUntil - context.validFrom == 7200)
    }
}
