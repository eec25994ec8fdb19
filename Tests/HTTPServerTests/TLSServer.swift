import Parallelism
import TestSupport
import Transport

@testable import HTTPServer

extension TestIdentity {
    var configuration: TLSConfiguration {
        TLSConfiguration(certificatePath: chainPath, keyPath: keyPath)
    }

    func context(requiringClients: Bool = false) throws -> TLSContext {
        var configuration = configuration
        if requiringClients { configuration.clientAuthorityPath = authorityPath }
        return try TLSContext(configuration)
    }

    func server(
        requiringClients: Bool = false, clock: any Clock = MonotonicClock(), calls: SystemCalls = .kernel,
        _ change: (inout ServerConfiguration) -> Void = { _ in }
    ) throws -> TestServer {
        try TestServer(
            clock: clock, calls: calls, tls: TLSCredentials(context(requiringClients: requiringClients)), change)
    }
}

extension TestServer {
    func client(_ options: TLSClientOptions) throws -> RawClient { try RawClient(port: port, tls: options) }
}
