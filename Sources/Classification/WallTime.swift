import Parallelism

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A point in time as people and collectors know it.
struct WallTime: Equatable, Sendable {
    /// Since 1970.
    var nanoseconds: Int64

    static var now: WallTime {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return WallTime(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    var seconds: Double { Double(nanoseconds) * 1e-9 }

    /// In UTC, to the millisecond. Source: RFC 3339.
    var text: String {
        let milliseconds = nanoseconds / 1_000_000 % 1000
        let digits = String(1000 + milliseconds).dropFirst()
        return "\(secondsText.dropLast()).\(digits)Z"
    }

    /// In UTC, to the second. Source: RFC 3339.
    var secondsText: String {
        var seconds = time_t(nanoseconds / 1_000_000_000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
        return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))T"
            + "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))Z"
    }
}

/// What the monotonic clock's instants are in wall time, as both stand at one moment.
struct WallClock: Sendable {
    private let offset: Int64

    init(_ clock: any Clock) { offset = WallTime.now.nanoseconds - clock.now().nanoseconds }

    func time(of instant: Instant) -> WallTime { WallTime(nanoseconds: instant.nanoseconds + offset) }
}
