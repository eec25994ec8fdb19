import HTTP
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
    var text: String { text(withMilliseconds: true) }

    /// In UTC, to the second. Source: RFC 3339.
    var secondsText: String { text(withMilliseconds: false) }

    private func text(withMilliseconds: Bool) -> String {
        let milliseconds = Int(nanoseconds / 1_000_000)
        let (days, ofDay) = (milliseconds / 86_400_000, milliseconds % 86_400_000)
        let date = CalendarDate(daysSince1970: days)
        return String(unsafeUninitializedCapacity: 24) { text in
            var count = 0
            func put(_ value: Int, _ digits: Int, _ end: StaticString) {
                var rest = value
                for place in stride(from: count + digits - 1, through: count, by: -1) {
                    text[place] = UInt8(ascii: "0") + UInt8(rest % 10)
                    rest /= 10
                }
                text[count + digits] = end.utf8Start.pointee
                count += digits + 1
            }
            put(date.year, 4, "-")
            put(date.month, 2, "-")
            put(date.day, 2, "T")
            put(ofDay / 3_600_000, 2, ":")
            put(ofDay / 60_000 % 60, 2, ":")
            put(ofDay / 1000 % 60, 2, withMilliseconds ? "." : "Z")
            if withMilliseconds { put(ofDay % 1000, 3, "Z") }
            return count
        }
    }
}

/// What the monotonic clock's instants are in wall time, as both stand at one moment.
struct WallClock: Sendable {
    private let offset: Int64

    init(_ clock: any Clock) { offset = WallTime.now.nanoseconds - clock.now().nanoseconds }

    func time(of instant: Instant) -> WallTime { WallTime(nanoseconds: instant.nanoseconds + offset) }
}
