// Swift has no spelling for the processor's spin-loop hint; its own `Synchronization` reaches it in this way.
#if arch(x86_64)
@_extern(c, "llvm.x86.sse2.pause") private func x86Pause()
#elseif arch(arm64)
@_extern(c, "llvm.aarch64.hint") private func arm64Hint(_ kind: Int32)
#endif

/// Tells the processor that this is a spin loop, which frees a sibling thread and saves power.
@inline(__always)
func spinLoopHint() {
    #if arch(x86_64)
    x86Pause()
    #elseif arch(arm64)
    arm64Hint(1)  // YIELD
    #endif
}

/// A wait by spinning that knows how long it has lasted, and seldom asks the clock.
struct SpinWait {
    private static let hintsPerClockReading = 32

    private let clock = MonotonicClock()
    private var hints = 0
    private var start = Instant(nanoseconds: 0)

    /// Spins once.
    ///
    /// - Returns: false from the moment on that the spinning has lasted `boundNanoseconds`.
    @inline(__always)
    mutating func spin(forAtMostNanoseconds boundNanoseconds: Int64) -> Bool {
        if hints == 0 { start = clock.now() }
        hints += 1
        spinLoopHint()
        return hints % Self.hintsPerClockReading != 0 || clock.now().nanoseconds(since: start) < boundNanoseconds
    }

    /// Starts the time anew.
    @inline(__always)
    mutating func reset() { hints = 0 }
}
