import Dispatch
import Logging
import Parallelism

/// Warns when the service begins to refuse what it has no room or time for, then every ten seconds of how much it has
/// refused in them, until it is nothing.
///
/// Concurrency: every method may be called from any thread; none waits.
final class OverloadWarning: Sendable {
    private struct State {
        /// Since the last line.
        var refusals: [RejectionReason: Int] = [:]
        /// Whether a line was written within the last interval.
        var isQuiet = false
    }

    static let intervalSeconds = 10

    private let logger: Logger
    private let wakeAfter: @Sendable (_ seconds: Int, @escaping @Sendable () -> Void) -> Void
    private let state = Lock(State())

    /// - Parameter wakeAfter: calls its argument once, after so many seconds, on any thread.
    init(
        logger: Logger,
        wakeAfter: @escaping @Sendable (_ seconds: Int, @escaping @Sendable () -> Void) -> Void = { seconds, work in
            DispatchQueue.global().asyncAfter(
                deadline: .now() + .seconds(seconds), execute: DispatchWorkItem(block: work))
        }
    ) {
        self.logger = logger
        self.wakeAfter = wakeAfter
    }

    /// Something was refused; what is no overload is passed over.
    func refused(_ reason: RejectionReason) {
        guard reason.isOverload else { return }
        let begins = state.withLock { state in
            state.refusals[reason, default: 0] += 1
            defer { state.isQuiet = true }
            return !state.isQuiet
        }
        if begins { tell("overload begins") }
    }

    /// An interval is over.
    private func look() {
        let goesOn = state.withLock { state in
            state.isQuiet = !state.refusals.isEmpty
            return state.isQuiet
        }
        if goesOn {
            tell("overload in the last ten seconds")
        } else {
            logger.notice("overload is over: nothing refused for ten seconds")
        }
    }

    private func tell(_ message: Logger.Message) {
        let refusals = state.withLock { state in
            defer { state.refusals = [:] }
            return state.refusals
        }
        var metadata: Logger.Metadata = ["refused": .stringConvertible(refusals.values.reduce(0, +))]
        for (reason, count) in refusals { metadata[reason.rawValue] = .stringConvertible(count) }
        logger.warning(message, metadata: metadata)
        wakeAfter(Self.intervalSeconds) { [weak self] in self?.look() }
    }
}
