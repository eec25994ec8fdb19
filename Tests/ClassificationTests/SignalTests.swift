import TestSupport
import Testing
import Transport

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

    @Test func theSupervisorHearsOfReadinessReloadSignsOfLifeAndTheEnd() async {
        await #expect(processExitsWith: .success) {
            let listener = try NotifyListener()
            let test = try TestService { $0.drainDelaySeconds = 60 }
            let environment = ["NOTIFY_SOCKET": listener.path, "WATCHDOG_USEC": "2000"]
            let process = ServiceProcess(
                service: test.service, logger: test.log.logger, say: LineWriter(write: { _ in 0 }),
                supervisor: try Supervisor.named(in: environment))
            process.handleSignals()
            process.startTelling()
            /// The next that is no sign of life, and whether there was one before it.
            func next() -> (text: String?, wasAlive: Bool) {
                var wasAlive = false
                while let text = listener.receive() {
                    guard text == "WATCHDOG=1" else { return (text, wasAlive) }
                    wasAlive = true
                }
                return (nil, wasAlive)
            }
            guard next().text == "READY=1" else { exit(1) }
            guard listener.receive() == "WATCHDOG=1" else { exit(2) }
            kill(getpid(), SIGHUP)
            guard next().text?.hasPrefix("RELOADING=1\nMONOTONIC_USEC=") == true else { exit(3) }
            guard next().text == "READY=1" else { exit(4) }
            kill(getpid(), SIGTERM)
            exit(next().text == "STOPPING=1" ? 0 : 5)
        }
    }
}
