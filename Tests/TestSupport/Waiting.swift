import Dispatch
import Parallelism

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A clock that stands still until it is told.
public final class ManualClock: Clock {
    private let instant = Lock(Instant(nanoseconds: 1_000_000_000))

    public init() {}

    public func now() -> Instant { instant.withLock { $0 } }

    public func advance(seconds: Double) {
        instant.withLock { $0 = $0.advanced(byNanoseconds: Int64(seconds * 1e9)) }
    }
}

/// Something that happens once on one thread and is waited for on another, for ten seconds.
public final class Signal<Value: Sendable>: Sendable {
    private let values = Lock<[Value]>([])
    private let semaphore = DispatchSemaphore(value: 0)

    public init() {}

    public func send(_ value: Value) {
        values.withLock { $0.append(value) }
        semaphore.signal()
    }

    /// Whether there is a value that has not been waited for.
    public var hasCome: Bool { values.withLock { !$0.isEmpty } }

    /// The next value in the order sent, or nil when none comes.
    public func wait() -> Value? {
        guard semaphore.wait(timeout: .now() + 10) == .success else { return nil }
        return values.withLock { $0.removeFirst() }
    }
}

/// Looks until `condition` holds, for ten seconds: for what other threads do and tell nobody of.
///
/// - Returns: whether it came to hold.
public func eventually(_ condition: () throws -> Bool) rethrows -> Bool {
    let clock = MonotonicClock()
    let end = clock.now().advanced(byNanoseconds: 10_000_000_000)
    while try !condition() {
        guard clock.now() < end else { return false }
        sched_yield()
    }
    return true
}
