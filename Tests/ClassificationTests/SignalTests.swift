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

    /// What is reloaded is said by one line each: it is there, or what was stays.
    @Test func hangupSaysWhatHasBecomeOfIt() async {
        await #expect(processExitsWith: .success) {
            let directory = try TemporaryDirectory()
            let keys = "\(directory.path)/keys"
            try directory.write("\(NewAPIKey(name: "a", rights: [.inference]).line)\n".utf8, to: "keys")
            let test = try TestService {
                $0.apiKeysFile = keys
                $0.accessLog = "\(directory.path)/access.log"
            }
            let process = ServiceProcess(
                service: test.service, logger: test.log.logger, say: LineWriter(write: { _ in 0 }))
            process.handleSignals()
            func hangUp(expecting expected: [String]) -> Bool {
                let before = test.log.all.count
                kill(getpid(), SIGHUP)
                return eventually { Set(test.log.all.dropFirst(before)).isSuperset(of: expected) }
            }
            // Nothing has changed: that is said as well.
            guard hangUp(expecting: ["access log reopened", "keys reloaded", "models reloaded"]) else { exit(1) }
            try directory.write("no line of keys\n".utf8, to: "keys")
            try test.remove("lite")
            guard unlink("\(directory.path)/access.log") == 0, mkdir("\(directory.path)/access.log", 0o700) == 0 else {
                exit(2)
            }
            let failures = [
                "access log not reopened, it goes on where it was", "keys not reloaded, the old ones stay in force",
                "models not reloaded, or not all; what was loaded stays",
            ]
            // The second time, too, and each by one line that says it is an error.
            for _ in 0..<2 {
                let before = test.log.complaints.count
                guard hangUp(expecting: failures) else { exit(3) }
                let said = test.log.complaints.dropFirst(before).sorted()
                guard said == (failures.dropLast() + ["cannot look for models"]).sorted() else { exit(5) }
            }
            guard test.versions() == [1] else { exit(4) }
            // Of each version that cannot be loaded.
            try test.write(TestModel())
            try test.write(TestModel(version: 2))
            try test.directory.write("{".utf8, to: "models/lite/2/model.json")
            try directory.write("\(NewAPIKey(name: "a", rights: [.inference]).line)\n".utf8, to: "keys")
            guard rmdir("\(directory.path)/access.log") == 0 else { exit(6) }
            let before = test.log.complaints.count
            let reloaded = [
                "access log reopened", "keys reloaded", "models not reloaded, or not all; what was loaded stays",
            ]
            guard hangUp(expecting: reloaded) else { exit(7) }
            exit(test.log.complaints.dropFirst(before) == ["cannot load model"] ? 0 : 8)
        }
    }

    /// One request that no worker has come to with one that waits behind it, and one whose body is still to come.
    @Test func aDrainThatRunsOutOfTimeTellsTheAccessLogWhatIsLost() async throws {
        let result = await #expect(
            processExitsWith: .exitCode(1), observing: [\.standardOutputContent, \.standardErrorContent]
        ) {
            let test = try TestService {
                $0.threads = 1
                $0.drainDelaySeconds = 0
                $0.drainTimeoutSeconds = 1
                $0.accessLog = "-"
            }
            let process = ServiceProcess(service: test.service, logger: test.log.logger, say: LineWriter())
            process.handleSignals()
            let gate = test.service.closeGate()
            let (waiting, sending) = (try test.client(), try test.client())
            let image = try Upload.jpeg("420")
            let head =
                "POST /v1/classify HTTP/1.1\r\nHost: a\r\nX-Request-Id: waits\r\n"
                + "Content-Length: \(image.count)\r\n\r\n"
            let behind = "GET /v1/models HTTP/1.1\r\nHost: a\r\nX-Request-Id: behind\r\n\r\n"
            try waiting.send(Array(head.utf8) + image + Array(behind.utf8))
            try sending.send(
                "POST /v1/embed HTTP/1.1\r\nHost: a\r\nX-Request-Id: sends\r\nContent-Length: 9\r\n"
                    + "Expect: 100-continue\r\n\r\n")
            guard try sending.receive().status == 100, eventually({ test.placesInUse == 1 }) else { exit(2) }
            kill(getpid(), SIGTERM)
            withExtendedLifetime((process, gate, waiting, sending)) { while true { pause() } }
        }
        let text = String(decoding: try #require(result).standardOutputContent, as: UTF8.self)
        let lines = text.split(separator: "\n").filter { $0.hasPrefix("{\"time\"") }
        #expect(lines.count == 3, "\(text)")
        for (id, route) in [("waits", "/v1/classify"), ("behind", "/v1/models"), ("sends", "/v1/embed")] {
            let line = try #require(lines.first { $0.contains("\"request_id\":\"\(id)\"") })
            #expect(line.contains("\"status\":499,\"reason\":\"drain_timeout\"") && line.contains("\"\(route)\""))
        }
        let said = String(decoding: try #require(result).standardErrorContent, as: UTF8.self)
        #expect(said.contains("drain not finished after 1 s: 3 requests in flight are lost"))
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
