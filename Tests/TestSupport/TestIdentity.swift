/// An authority, a certificate of its, and the files of a server that has it.
public struct TestIdentity {
    public let authority = TestCertificate("authority")
    public let certificate: TestCertificate
    public let directory: TemporaryDirectory

    public init() throws {
        certificate = TestCertificate("localhost", issuer: authority)
        directory = try TemporaryDirectory()
        try write(certificate)
        try directory.write(authority.certificatePEM, to: "ca.pem")
    }

    public var chainPath: String { "\(directory.path)/chain.pem" }
    public var keyPath: String { "\(directory.path)/key.pem" }
    public var authorityPath: String { "\(directory.path)/ca.pem" }

    /// Puts another certificate into the files.
    ///
    /// - Parameter key: whose key; its own where nil.
    public func write(_ certificate: TestCertificate, key: TestCertificate? = nil) throws {
        try directory.write(certificate.certificatePEM + authority.certificatePEM, to: "chain.pem")
        try directory.write((key ?? certificate).keyPEM, to: "key.pem")
    }

    /// A client's, which trusts the authority.
    public func options(_ change: (inout TLSClientOptions) -> Void = { _ in }) -> TLSClientOptions {
        TLSClientOptions {
            $0.authority = authority
            change(&$0)
        }
    }
}
