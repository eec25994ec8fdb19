#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// State that only one thread at a time can reach, behind a `pthread_mutex_t`.
///
/// ThreadSanitizer on Linux sees pthread mutexes but not `Synchronization.Mutex`, which is why this exists.
public final class Lock<State>: @unchecked Sendable {  // `mutex` protects `state`
    let mutex: UnsafeMutablePointer<pthread_mutex_t>
    var state: State

    public init(_ initial: sending State) {
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        let status = pthread_mutex_init(mutex, nil)
        precondition(status == 0, "pthread_mutex_init failed: \(status)")
        state = initial
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    /// Runs `body` with exclusive access to the state. Not reentrant.
    @inline(__always)
    public func withLock<Result, Failure: Error>(
        _ body: (inout State) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&state)
    }
}
