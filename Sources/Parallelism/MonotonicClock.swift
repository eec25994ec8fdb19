#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A point on the monotonic clock, in nanoseconds since an arbitrary origin.
public struct Instant: Comparable, Hashable, Sendable {
    /// Units: nanoseconds.
    public var nanoseconds: Int64

    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    public static func < (a: Instant, b: Instant) -> Bool { a.nanoseconds < b.nanoseconds }

    /// The instant `nanoseconds` later, held at the far end instead of overflowing.
    public func advanced(byNanoseconds nanoseconds: Int64) -> Instant {
        let (sum, overflow) = self.nanoseconds.addingReportingOverflow(nanoseconds)
        return Instant(nanoseconds: overflow ? (nanoseconds > 0 ? .max : .min) : sum)
    }

    /// Nanoseconds from `earlier` to this instant; negative where `earlier` is later.
    public func nanoseconds(since earlier: Instant) -> Int64 { nanoseconds - earlier.nanoseconds }

    /// Seconds from `earlier` to this instant.
    public func seconds(since earlier: Instant) -> Double { Double(nanoseconds(since: earlier)) * 1e-9 }
}

/// Where logic with timeouts takes its time from, so that tests can hand it their own.
public protocol Clock: Sendable {
    func now() -> Instant
}

/// The system's `CLOCK_MONOTONIC`.
public struct MonotonicClock: Clock {
    public init() {}

    @inline(__always)
    public func now() -> Instant {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }
}
