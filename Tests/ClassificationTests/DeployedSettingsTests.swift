import TestSupport
import Testing

@testable import Classification

/// deploy/kubernetes without foreign programs: `scripts/check-deploy` holds all of deploy/ to the running binary.
struct DeployedSettingsTests {
    @Test func theConfigMapsSettingsAreKnownAndKeepMetricsOffTheClientsPort() throws {
        let path = "\(Fixtures.repositoryRoot)/deploy/kubernetes/base/config.json"
        let settings = try Settings.load(configPath: path)
        #expect(settings.warnings.isEmpty)
        guard case .file(path, _) = settings.origin(of: "adminAddress") else {
            Issue.record("comes from \(settings.origin(of: "adminAddress"))")
            return
        }
        let address = try #require(ListenAddress(settings.adminAddress))
        #expect(address.port != settings.port)
    }
}
