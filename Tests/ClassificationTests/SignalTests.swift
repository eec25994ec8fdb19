import TestSupport
import Testing

@testable import Classification

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

struct SignalTests {
    /// In a process of its own, as a signal is for all of it.
    @Test func hangupReloadsTheModels() async {
        await #expect(processExitsWith: .success) {
            let test = try TestService()
            let process = ServiceProcess(
                service: test.service, logger: test.log.logger, say: LineWriter(write: { _ in 0 }))
            process.handleSignals()
            try test.write(TestModel(version: 2))
            kill(getpid(), SIGHUP)
            guard eventually({ test.versions() == [2] }) else { exit(1) }
            exit(try test.classify(Upload.jpeg("420")).status == 200 ? 0 : 1)
        }
    }
}
