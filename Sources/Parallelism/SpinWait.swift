/// A wait by spinning that knows how long it has lasted.
///
/// Each turn reads the clock. That bounds the wait exactly, and its fenced read of the time stamp counter does what the
/// processor's pause instruction is for, which Swift cannot express: it spaces out the loads of the line waited on, and
/// leaves the core's execution units to a sibling thread.
struct SpinWait {
    private let clock = MonotonicClock()
    private var start: Instant?

    /// Spins once.
    ///
    /// - Returns: false from the moment on that the spinning has lasted `boundNanoseconds`.
    @inline(__always)
    mutating func spin(forAtMostNanoseconds boundNanoseconds: Int64) -> Bool {
        let now = clock.now()
        guard let start else {
            start = now
            return true
        }
        return now.nanoseconds(since: start) < boundNanoseconds
    }

    /// Starts the time anew.
    @inline(__always)
    mutating func reset() { start = nil }
}
