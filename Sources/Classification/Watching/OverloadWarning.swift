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
        /// Whether a look at what was refused meanwhile is to come.
        var isGoingOn = false

        mutating func takeRefusals() -> [RejectionReason: Int] {
            defer { refusals = [:] }
            return refusals
        }
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
        let first = state.withLock { state -> [RejectionReason: Int]? in
            state.refusals[reason, default: 0] += 1
            guard !state.isGoingOn else { return nil }
            state.isGoingOn = true
            return state.takeRefusals()
        }
        if let first { tell("overload begins", first) }
    }

    /// An interval is over.
    private func look() {
        let refusals = state.withLock { state in
            state.isGoingOn = !state.refusals.isEmpty
            return state.takeRefusals()
        }
        if refusals.isEmpty {
            logger.notice("overload is over: nothing refused for ten seconds")
        } else {
            tell("overload in the last ten seconds", refusals)
        }
    }

    private func tell(_ message: Logger.Message, _ refusals: [RejectionReason: Int]) {
        var metadata: Logger.Metadata = ["refused": .stringConvertible(refusals.values.reduce(0, +))]
        for (reason, count) in refusals { metadata[reason.rawValue] = .stringConvertible(count) }
        logger.warning(message, metadata: metadata)
        wakeAfter(Self.intervalSeconds) { [weak self] in self?.look() }
    }
}
