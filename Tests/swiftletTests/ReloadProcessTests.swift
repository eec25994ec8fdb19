import Classification
import FoundationEssentials
import TestSupport
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// What SIGHUP does to a running service, and what it does not do to its connections.
struct ReloadProcessTests {
    /// `swiftlet serve` on a free port.
    private struct Service {
        let port: Int
        let process: ChildProcess
        private let directory = try? TemporaryDirectory()

        init(_ flags: [String]) throws {
            let path = try #require(directory).path + "/log"
            process = try ChildProcess(
                CommandRun.binary,
                [
                    "serve", "--host", "127.0.0.1", "--port", "0", "--models", Fixtures.repositoryRoot + "/models",
                    "--load-models", "efficientnet-lite0-int8", "--model", "efficientnet-lite0-int8", "--threads", "1",
                    "--drain-delay-seconds", "0",
                ] + flags, outputPath: path)
            func log() -> String { (try? String(contentsOfFile: path, encoding: .utf8)) ?? "" }
            func listening() -> Int? {
                log().split(separator: "\n").first { $0.hasPrefix("listening on ") }?.split(separator: ":").last
                    .flatMap { Int($0) }
            }
            #expect(eventually { listening() != nil }, "\(log())")
            port = try #require(listening())
        }

        func client(_ options: TLSClientOptions? = nil) throws -> RawClient {
            guard let options else { return try RawClient(port: port) }
            return try RawClient(port: port, tls: options)
        }
    }

    @Test func hangupTakesUpKeysWhileAConnectionGoesOn() throws {
        let directory = try TemporaryDirectory()
        let (old, new) = (NewAPIKey(name: "old", rights: [.inference]), NewAPIKey(name: "new", rights: [.inference]))
        try directory.write("\(old.line)\n".utf8, to: "keys")
        let service = try Service(["--api-keys-file", "\(directory.path)/keys"])
        let kept = try service.client()
        func status(_ made: NewAPIKey, _ client: RawClient) throws -> Int {
            try client.exchange("GET", "/v2", fields: [("Authorization", "Bearer \(made.key)")]).status
        }
        #expect(try status(old, kept) == 200 && status(new, kept) == 401)
        try directory.write("\(new.line)\n".utf8, to: "keys")
        // Nothing changes before the signal.
        #expect(try status(old, kept) == 200)
        service.process.signal(SIGHUP)
        #expect(eventually { (try? status(new, kept)) == 200 })
        #expect(try status(old, kept) == 401)
        #expect(try status(new, service.client()) == 200 && status(old, service.client()) == 401)
        // What cannot be read changes nothing.
        try directory.write("no line of keys\n".utf8, to: "keys")
        service.process.signal(SIGHUP)
        for _ in 0..<20 { #expect(try status(new, kept) == 200) }
    }

    @Test func hangupTakesUpCertificatesWhileAConnectionGoesOn() throws {
        let (identity, other) = (try TestIdentity(), try TestIdentity())
        let service = try Service(["--tls-certificate", identity.chainPath, "--tls-key", identity.keyPath])
        let kept = try service.client(identity.options())
        #expect(try kept.exchange("GET", "/livez").status == 200)
        #expect(throws: (any Error).self) { try service.client(other.options()) }
        try identity.directory.write(
            other.certificate.certificatePEM + other.authority.certificatePEM, to: "chain.pem")
        try identity.directory.write(other.certificate.keyPEM, to: "key.pem")
        service.process.signal(SIGHUP)
        #expect(eventually { (try? service.client(other.options()).exchange("GET", "/livez").status) == 200 })
        #expect(throws: (any Error).self) { try service.client(identity.options()) }
        // The connection from before speaks under its old certificate.
        #expect(try kept.exchange("GET", "/livez").status == 200)
    }
}
