import Dispatch
import Parallelism

/// Work that may not come to an end in time and cannot be cut short, as resolving a name cannot.
enum Overtime {
    /// - Returns: what `work` returns, or nil where it has not at the deadline: a thread is left behind then, until the
    ///   process ends.
    static func run<Result: Sendable>(by deadline: Instant, _ work: @escaping @Sendable () -> Result) -> Result? {
        let result = Lock<Result?>(nil)
        let ended = DispatchSemaphore(value: 0)
        DispatchQueue.global().async {
            let value = work()
            result.withLock { $0 = value }
            ended.signal()
        }
        let nanoseconds = max(0, deadline.nanoseconds(since: MonotonicClock().now()))
        _ = ended.wait(timeout: .now() + .nanoseconds(Int(nanoseconds)))
        return result.withLock { $0 }
    }
}
