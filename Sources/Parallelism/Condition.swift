#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// What threads wait on for the state of a `Lock` to change: a `pthread_cond_t`.
///
/// Always waited on with the same lock.
public final class Condition: @unchecked Sendable {  // pthread_cond_t synchronises itself
    fileprivate let condition: UnsafeMutablePointer<pthread_cond_t>

    public init() {
        condition = .allocate(capacity: 1)
        condition.initialize(to: pthread_cond_t())
        let status = pthread_cond_init(condition, nil)
        precondition(status == 0, "pthread_cond_init failed: \(status)")
    }

    deinit {
        pthread_cond_destroy(condition)
        condition.deallocate()
    }

    /// Lets one waiting thread try again.
    public func signal() { pthread_cond_signal(condition) }

    /// Lets all waiting threads try again.
    public func broadcast() { pthread_cond_broadcast(condition) }
}

extension Lock {
    /// Runs `attempt` with exclusive access to the state until it returns a value, and waits on `condition` before
    /// each further attempt.
    ///
    /// Every attempt is an access of its own: none sees a value of the state cached from before the wait.
    public func withLock<Result>(waitingOn condition: Condition, _ attempt: (inout State) -> Result?) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while true {
            if let result = attempt(&state) { return result }
            pthread_cond_wait(condition.condition, mutex)
        }
    }
}
