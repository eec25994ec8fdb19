import Logging
import Parallelism
import TestSupport
import Testing

@testable import Classification

struct OverloadWarningTests {
    /// What is logged, and what is to be done ten seconds later.
    private final class Bench: Sendable {
        let lines = Lock<[String]>([])
        private let wakes: Lock<[@Sendable () -> Void]>
        let warning: OverloadWarning

        init() {
            let (lines, wakes) = (lines, Lock<[@Sendable () -> Void]>([]))
            self.wakes = wakes
            let logger = Logger(label: "x") { _ in Handler(lines: lines) }
            warning = OverloadWarning(logger: logger) { seconds, work in
                precondition(seconds == 10)
                wakes.withLock { $0.append(work) }
            }
        }

        /// - Returns: how many there were.
        func passTenSeconds() -> Int {
            let due = wakes.withLock { wakes in
                defer { wakes = [] }
                return wakes
            }
            for wake in due { wake() }
            return due.count
        }
    }

    private struct Handler: LogHandler {
        let lines: Lock<[String]>
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let pairs = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }
            lines.withLock { $0.append("\(event.level) \(event.message)\(pairs.joined())") }
        }
    }

    @Test func saysWhenItBeginsAndThenHowMuchWasRefusedAndWhy() {
        let bench = Bench()
        bench.warning.refused(.queueWait)
        let first = "warning overload begins queue_wait=1 refused=1"
        #expect(bench.lines.withLock { $0 } == [first])
        for _ in 0..<5 { bench.warning.refused(.queueWait) }
        for _ in 0..<2 { bench.warning.refused(.heldBytes) }
        #expect(bench.lines.withLock { $0.count } == 1)
        #expect(bench.passTenSeconds() == 1)
        let second = "warning overload in the last ten seconds held_bytes=2 queue_wait=5 refused=7"
        #expect(bench.lines.withLock { $0 } == [first, second])
        // Nothing more: it is over, and the next time it begins anew.
        #expect(bench.passTenSeconds() == 1 && bench.passTenSeconds() == 0)
        #expect(
            bench.lines.withLock { $0 } == [first, second, "notice overload is over: nothing refused for ten seconds"])
        bench.warning.refused(.queueFull)
        #expect(bench.lines.withLock { $0.last } == "warning overload begins queue_full=1 refused=1")
    }

    @Test func whatTheClientIsToBlameForIsNone() {
        let bench = Bench()
        for reason in RejectionReason.allCases where !reason.isOverload { bench.warning.refused(reason) }
        #expect(bench.lines.withLock { $0 } == [] && bench.passTenSeconds() == 0)
    }
}
