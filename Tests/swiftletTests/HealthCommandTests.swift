import Classification
import Dispatch
import FoundationEssentials
import Parallelism
import TestSupport
import Testing

@testable import Transport
@testable import swiftlet

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

struct HealthCommandTests {
    @Test func aServiceThatIsReadyIsHealthyByItsSettings() throws {
        let service = try ServingProcess()
        let port = try #require(service.port)
        let expected = "http://127.0.0.1:\(port)/readyz: ready\n"
        let byFlag = try CommandRun("health", "--port", "\(port)")
        #expect(byFlag.status == 0 && byFlag.output == expected && byFlag.errors.isEmpty, "\(byFlag)")
        let byURL = try CommandRun("health", "--url", "http://127.0.0.1:\(port)/")
        #expect(byURL.status == 0 && byURL.output == expected, "\(byURL)")
        // What the settings have is asked, and a warning is not said each time.
        let directory = try TemporaryDirectory()
        try directory.write(#"{"port": \#(port)}"#.utf8, to: "config.json")
        let byFile = try CommandRun(
            "health", "--live", environment: ["SWIFTLET_HOST": "0.0.0.0", "SWIFTLET_SERVICE_PORT": "1"],
            directory: directory)
        #expect(byFile.status == 0 && byFile.errors.isEmpty, "\(byFile)")
        #expect(byFile.output == "http://127.0.0.1:\(port)/livez: live\n")
    }

    @Test func asksByTLSWithoutLookingWhoAnswers() throws {
        let identity = try TestIdentity()
        let files = ["--tls-certificate", identity.chainPath, "--tls-key", identity.keyPath]
        let service = try ServingProcess(files)
        let port = try #require(service.port)
        // The flags of 'serve', and fewer.
        for flags in [files, ["--tls-certificate", identity.chainPath]] {
            let run = try CommandRun(["health", "--port", "\(port)"] + flags)
            #expect(run.status == 0 && run.output == "https://127.0.0.1:\(port)/readyz: ready\n", "\(run)")
        }
        let plain = try CommandRun("health", "--port", "\(port)")
        #expect(plain.status == 1 && plain.errors.contains("/readyz: 400"), "\(plain)")
        #expect(plain.errors.contains("give --tls-certificate as 'serve' has it"), "\(plain)")
    }

    @Test func asksAtTheAdminAddressWhereClientsNeedCertificates() throws {
        let identity = try TestIdentity()
        let files = ["--tls-certificate", identity.chainPath, "--tls-key", identity.keyPath]
        let service = try ServingProcess(
            files + ["--tls-client-ca", identity.authorityPath, "--admin-address", "127.0.0.1:0"])
        let (port, adminPort) = (try #require(service.port), try #require(service.adminPort))
        let secured = [
            "health", "--port", "\(port)", "--tls-certificate", identity.chainPath,
            "--tls-client-ca", identity.authorityPath,
        ]
        let run = try CommandRun(secured + ["--admin-address", "127.0.0.1:\(adminPort)"])
        #expect(run.status == 0 && run.output == "http://127.0.0.1:\(adminPort)/readyz: ready\n", "\(run)")
        let without = try CommandRun(secured)
        #expect(without.status == 1 && without.errors.contains("'adminAddress'"), "\(without)")
        let byURL = try CommandRun("health", "--url", "https://127.0.0.1:\(port)")
        #expect(byURL.status == 1 && byURL.errors.contains("certificate required"), "\(byURL)")
    }

    static let answers: [(bytes: String, said: String)] = [
        (
            "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\n\r\n"
                + #"{"title":"Not ready","detail":"draining"}"#, "/readyz: 503: draining\n"
        ),
        ("HTTP/1.1 404 Not Found\r\n\r\n<html>\r\n\r\n</html>", "/readyz: 404\n"),
        ("HTTP/1.1 204 No Content\r\n\r\n", "/readyz: 204\n"),
        (
            "HTTP/1.1 503 x\r\n\r\n{\"detail\":\"\\u001b[2J\\u009b1m\u{9B}\\nError: \u{202E}\"}",
            #"/readyz: 503: \u001b[2J\u009b1m\u009b\nError: \u202e"# + "\n"
        ),
        ("SSH-2.0-x\r\n", "does not speak HTTP\n"), ("HTTP/1.1 2000\r\n\r\n", "does not speak HTTP\n"),
        ("", "closed without an answer\n"),
    ]

    @Test(arguments: answers)
    func whatDoesNotAnswerWith200IsNotHealthy(_ answer: (bytes: String, said: String)) throws {
        let server = try ScriptedServer(answer.bytes)
        let run = try CommandRun("health", "--url", "http://127.0.0.1:\(server.port)")
        #expect(run.status == 1 && run.output.isEmpty)
        #expect(run.errors.hasPrefix("Error: http://127.0.0.1:\(server.port)/readyz: "), "\(run.errors)")
        #expect(run.errors.hasSuffix(answer.said) && run.errors.count { $0.isNewline } == 1, "\(run.errors)")
    }

    @Test func anEndlessAnswerIsReadInPart() throws {
        let server = try ScriptedServer("HTTP/1.1 200 OK\r\n\r\n" + String(repeating: "x", count: 1 << 20))
        let run = try CommandRun("health", "--url", "http://127.0.0.1:\(server.port)")
        #expect(run.status == 0, "\(run.errors)")
    }

    @Test func whoeverSpeaksNoTLSIsToldSo() throws {
        let server = try ScriptedServer("HTTP/1.1 400 Bad Request\r\n\r\n")
        let run = try CommandRun("health", "--url", "https://127.0.0.1:\(server.port)")
        #expect(run.status == 1 && run.errors.contains("answers in the clear"), "\(run.errors)")
    }

    @Test func whoeverNeverAnswersIsNotWaitedForLong() throws {
        let listener = try Socket.listening(host: "127.0.0.1", port: 0, backlog: 8)
        let port = try listener.localAddress().port
        for scheme in ["http", "https"] {
            let run = try CommandRun("health", "--url", "\(scheme)://127.0.0.1:\(port)", "--timeout-seconds", "1")
            #expect(run.status == 1 && run.errors.contains("no answer within 1 s"), "\(run.errors)")
        }
    }

    /// A byte now and then is no answer.
    @Test func whoeverAnswersByTheByteIsNotWaitedForLong() throws {
        let answer = "HTTP/1.1 200 OK\r\n\r\n" + String(repeating: "x", count: 600)
        let server = try ScriptedServer(answer, pauseMilliseconds: 20)
        let run = try CommandRun("health", "--url", "http://127.0.0.1:\(server.port)", "--timeout-seconds", "1")
        #expect(run.status == 1 && run.errors.contains("no answer within 1 s (receive)"), "\(run.errors)")
    }

    /// What cannot be cut short, such as resolving a name, is left behind.
    @Test func whatDoesNotEndIsLeftBehindAtTheDeadline() {
        let never = Signal<Int>()
        let now = MonotonicClock().now()
        #expect(Overtime.run(by: now) { never.wait() } == nil)
        never.send(1)
        #expect(Overtime.run(by: now.advanced(byNanoseconds: 10_000_000_000)) { 7 } == 7)
    }

    @Test func aPortWhereNobodyListensIsNamed() throws {
        let port = try ClosedPort()
        let run = try CommandRun("health", environment: ["SWIFTLET_PORT": "\(port.number)"])
        #expect(run.status == 1 && run.output.isEmpty)
        #expect(run.errors.contains("http://127.0.0.1:\(port.number)/readyz: connect: "), "\(run.errors)")
        withExtendedLifetime(port) {}
    }

    @Test func aPortThatWasLeftOpenCannotBeAsked() throws {
        let run = try CommandRun("health", "--port", "0")
        #expect(run.status == 1 && run.errors.contains("--url"), "\(run.errors)")
    }

    @Test(
        arguments: [
            ["--url", "127.0.0.1:8080"], ["--url", "ftp://a"], ["--url", "http://"], ["--url", "http://a:0"],
            ["--url", "http://a/readyz"], ["--url", "http://a:b"], ["--url", "http://[::1"],
            ["--url", "http://u@a"], ["--timeout-seconds", "0"], ["--port", "x"],
        ])
    func wrongUsageIsASentence(_ arguments: [String]) throws {
        let run = try CommandRun(["health"] + arguments)
        #expect(run.status == 64 && run.output.isEmpty && run.errors.hasPrefix("Error: "), "\(run.errors)")
    }

    static let urls: [(String, String)] = [
        ("http://a", "http://a:80"), ("https://a/", "https://a:443"), ("http://[::1]", "http://[::1]:80"),
        ("https://[::1]:9", "https://[::1]:9"), ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
    ]

    @Test(arguments: urls) func readsURLs(_ url: (text: String, place: String)) throws {
        #expect(try #require(HealthEndpoint(url: url.text)).description == url.place)
    }

    @Test func theEndpointFollowsTheSettings() throws {
        func place(_ change: (inout Settings) -> Void) throws -> String {
            var settings = Settings()
            change(&settings)
            return try HealthEndpoint(settings).description
        }
        #expect(try place { _ in } == "http://127.0.0.1:8080")
        #expect(try place { $0.host = "::" } == "http://[::1]:8080")
        #expect(try place { $0.host = "10.0.0.7" } == "http://10.0.0.7:8080")
        #expect(try place { $0.tlsCertificate = "c" } == "https://127.0.0.1:8080")
        #expect(
            try place {
                $0.tlsCertificate = "c"
                $0.adminAddress = "[::]:9"
            } == "http://[::1]:9")
        #expect(
            try place {
                $0.tlsCertificate = "c"
                $0.adminAddress = "0.0.0.0:9"
                $0.adminTls = "on"
            } == "https://127.0.0.1:9")
        #expect(throws: HealthEndpointError.anyPort(key: "adminAddress")) {
            try place { $0.adminAddress = "127.0.0.1:0" }
        }
        #expect(throws: HealthEndpointError.certificateNeeded) {
            try place {
                $0.tlsCertificate = "c"
                $0.tlsClientCa = "a"
            }
        }
    }
}

/// `swiftlet serve` with a bundled model on a free port of loopback, until this is let go.
private final class ServingProcess {
    private let files: TemporaryDirectory
    private let process: ChildProcess

    init(_ arguments: [String] = []) throws {
        files = try TemporaryDirectory()
        process = try ChildProcess(
            CommandRun.binary,
            [
                "serve", "--host", "127.0.0.1", "--port", "0", "--models", Fixtures.repositoryRoot + "/models",
                "--load-models", "efficientnet-lite0-int8", "--drain-delay-seconds", "0",
            ] + arguments, outputPath: "\(files.path)/output")
    }

    /// Nil where the service does not say that it listens.
    var port: Int? { port(after: "listening on ") }
    var adminPort: Int? { port(after: "administration on ") }

    private func port(after words: String) -> Int? {
        var port: Int?
        _ = eventually {
            let text = (try? String(contentsOfFile: "\(files.path)/output", encoding: .utf8)) ?? ""
            let line = text.split(separator: "\n").first { $0.hasPrefix(words) && text.hasSuffix("\n") }
            port = line.flatMap { $0.split(separator: ":").last }.flatMap { Int($0) }
            return port != nil
        }
        return port
    }
}

/// Answers one client with given bytes, whatever it asks.
private final class ScriptedServer: Sendable {
    private let listener: Socket
    let port: Int

    /// - Parameter pauseMilliseconds: after each byte.
    init(_ answer: String, pauseMilliseconds: Int? = nil) throws {
        listener = try Socket.listening(host: "127.0.0.1", port: 0, backlog: 8)
        port = try listener.localAddress().port
        DispatchQueue.global().async { [self] in serve(Array(answer.utf8), pauseMilliseconds) }
    }

    private func serve(_ answer: [UInt8], _ pauseMilliseconds: Int?) {
        let deadline = MonotonicClock().now().advanced(byNanoseconds: 10_000_000_000)
        guard listener.wait(until: .readable, by: deadline), let client = try? listener.accept()?.takeSocket()
        else { return }
        var request = [UInt8](repeating: 0, count: 4096)
        guard client.wait(until: .readable, by: deadline),
            case .bytes = request.withUnsafeMutableBytes({ client.receive(into: $0) })
        else { return }
        var offset = 0
        while offset < answer.count {
            let end = pauseMilliseconds == nil ? answer.count : offset + 1
            switch answer.withUnsafeBytes({ client.send(UnsafeRawBufferPointer(rebasing: $0[offset..<end])) }) {
            case .bytes(let count):
                offset += count
                if let pauseMilliseconds { usleep(UInt32(pauseMilliseconds) * 1000) }
            case .wouldBlock: guard client.wait(until: .writable, by: deadline) else { return }
            case .failed: return
            }
        }
    }
}
