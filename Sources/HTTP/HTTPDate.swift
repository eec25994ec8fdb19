/// The fixed-length date of `Date`: `Sun, 06 Nov 1994 08:49:37 GMT`.
///
/// Source: RFC 9110 §5.6.7 (IMF-fixdate).
public enum HTTPDate {
    private static let weekdays: [StaticString] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months: [StaticString] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// Units: seconds since 1970-01-01T00:00:00Z, not negative.
    public static func bytes(unixSeconds: Int) -> [UInt8] {
        let days = unixSeconds / 86_400
        let second = unixSeconds % 86_400
        let date = CalendarDate(daysSince1970: days)

        var text: [UInt8] = []
        text.reserveCapacity(29)
        text.append(weekdays[days % 7])
        text.append(", ")
        text.append(decimal: date.day, digits: 2)
        text.append(" ")
        text.append(months[date.month - 1])
        text.append(" ")
        text.append(decimal: date.year, digits: 4)
        text.append(" ")
        text.append(decimal: second / 3600, digits: 2)
        text.append(":")
        text.append(decimal: second / 60 % 60, digits: 2)
        text.append(":")
        text.append(decimal: second % 60, digits: 2)
        text.append(" GMT")
        return text
    }
}

extension [UInt8] {
    @inline(__always)
    mutating func append(_ text: StaticString) {
        append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// Appends a number that is not negative, with zeros before it up to `digits`.
    mutating func append(decimal number: Int, digits: Int = 1) {
        var divisor = 1
        var width = 1
        while width < digits || number / divisor >= 10 {
            divisor *= 10
            width += 1
        }
        while divisor > 0 {
            append(UInt8(0x30 + number / divisor % 10))
            divisor /= 10
        }
    }

    mutating func append(_ text: String) { append(contentsOf: text.utf8) }
}
