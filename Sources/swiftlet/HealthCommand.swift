import ArgumentParser
import Classification
import FoundationEssentials
import HTTP
import Parallelism
import Transport

struct HealthCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "health",
        abstract: "Asks the service on this machine whether it is ready.",
        discussion: """
            For container health checks and probes that run a command: one line, and exit code 0 where the service is \
            ready, else 1.

            It asks where the settings have 'swiftlet serve' listen: at the admin address where there is one, which \
            needs no client certificate, or else at the main port; by TLS where that address speaks it, without \
            looking whose certificate it is. So what 'serve' is given as a flag must be given here too (--tls-key may, \
            and is not read), and what it has from the environment or the configuration file need not.
            """)

    @Option(help: ArgumentHelp("Asks there, such as http://127.0.0.1:8080, whatever the settings.", valueName: "url"))
    var url: String?

    @Flag(help: "Asks /livez, which answers while models are loaded and during a drain too, instead of /readyz.")
    var live = false

    @Option(
        help: ArgumentHelp("How long it may take in all, from resolving the name to the answer's end.", valueName: "s"))
    var timeoutSeconds = 3

    @OptionGroup var address: AddressOptions
    @OptionGroup var configuration: ConfigurationOptions

    func run() throws {
        guard (1...3600).contains(timeoutSeconds) else {
            throw ValidationError("--timeout-seconds is \(timeoutSeconds), but must be 1 to 3600.")
        }
        let endpoint = try endpoint()
        let path = live ? "/livez" : "/readyz"
        let place = "\(endpoint)\(path)"
        let given: Answer?
        do throws(StreamFailure) { given = try ask(endpoint, path) } catch {
            throw HealthError(place: place, reason: reason(for: error))
        }
        guard let answer = given else { throw HealthError(place: place, reason: late("resolve")) }
        guard answer.status == 200 else {
            // What a server of TLS says in the clear to who speaks none.
            let hint = answer.status == 400 && !endpoint.isSecure ? "; \(Self.tlsHint)" : ""
            throw HealthError(place: place, reason: answer.reason + hint)
        }
        try StandardStream.output.write("\(place): \(live ? "live" : "ready")\n")
    }

    private func endpoint() throws -> HealthEndpoint {
        guard let url else { return try HealthEndpoint(configuration.settings(address, tellsWarnings: false)) }
        guard let endpoint = HealthEndpoint(url: url) else {
            throw ValidationError("--url is \(url), but must be http://HOST:PORT or https://HOST:PORT, without a path.")
        }
        return endpoint
    }

    private static let tlsHint =
        "where the service speaks TLS, give --tls-certificate as 'serve' has it, or --url https://HOST:PORT"

    /// - Returns: nil where the name has not been resolved in time.
    private func ask(_ endpoint: HealthEndpoint, _ path: String) throws(StreamFailure) -> Answer? {
        let deadline = MonotonicClock().now().advanced(byNanoseconds: Int64(timeoutSeconds) * 1_000_000_000)
        // All else looks at the deadline by itself, and says what it was at.
        let outcome = Overtime.run(by: deadline.advanced(byNanoseconds: 100_000_000)) {
            () -> Result<Answer, StreamFailure> in
            do throws(StreamFailure) { return .success(try Self.ask(endpoint, path, by: deadline)) } catch {
                return .failure(error)
            }
        }
        return try outcome?.get()
    }

    private static func ask(
        _ endpoint: HealthEndpoint, _ path: String, by deadline: Instant
    ) throws(StreamFailure) -> Answer {
        var tls: TLSClientContext?
        if endpoint.isSecure {
            do throws(TLSError) { tls = try TLSClientContext() } catch { throw .tls(error) }
        }
        let stream = try ClientStream(host: endpoint.host, port: endpoint.port, tls: tls, by: deadline)
        try stream.send(
            Array("GET \(path) HTTP/1.1\r\nHost: \(endpoint.authority)\r\nConnection: close\r\n\r\n".utf8))
        return Answer(try stream.receiveAll(limit: 64 << 10))
    }

    private func reason(for failure: StreamFailure) -> String {
        guard case .socket(let error) = failure, error.isTimeout else { return "\(failure)" }
        return late(error.operation.rawValue)
    }

    private func late(_ operation: String) -> String { "no answer within \(timeoutSeconds) s (\(operation))" }
}

/// What came back.
private struct Answer: Sendable {
    /// Nil where it is no HTTP.
    let status: Int?
    let reason: String

    /// Source: RFC 9457 §3.1.
    init(_ bytes: [UInt8]) {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let status = StatusLine.status(text.prefix { !$0.isNewline }) else {
            self.status = nil
            reason = bytes.isEmpty ? "the connection was closed without an answer" : "what answers does not speak HTTP"
            return
        }
        self.status = status
        let body = text.firstRange(of: "\r\n\r\n").map { text[$0.upperBound...] } ?? ""
        // Anybody may answer on a port; only what explains itself as the service does is quoted.
        let detail = (try? JSONDecoder().decode(Problem.self, from: Data(body.utf8)))?.detail
        reason = "\(status)" + (detail.map { ": \($0)" } ?? "")
    }

    private struct Problem: Decodable {
        let detail: String
    }
}

/// The service is not well, or cannot be asked.
private struct HealthError: Error, CustomStringConvertible {
    let place: String
    let reason: String

    var description: String { "\(place): \(reason)" }
}
