import HTTP

extension JSONWriter {
    /// A time in milliseconds, to the microsecond.
    mutating func milliseconds(_ name: StaticString, nanoseconds: Int64) {
        json(name, Self.text(nanoseconds))
    }

    /// The same under a name that is not known before.
    mutating func milliseconds(key: String, nanoseconds: Int64) { json(key: key, Self.text(nanoseconds)) }

    private static func text(_ nanoseconds: Int64) -> String {
        let microseconds = UInt64(max(0, nanoseconds) / 1000 + (max(0, nanoseconds) % 1000 >= 500 ? 1 : 0))
        // As many digits as 64 bits need, and the point.
        return String(unsafeUninitializedCapacity: 21) { text in
            var rest = microseconds
            var count = 0
            while rest > 0 || count < 5 {
                if count == 3 {
                    text[count] = UInt8(ascii: ".")
                } else {
                    text[count] = UInt8(ascii: "0") + UInt8(rest % 10)
                    rest /= 10
                }
                count += 1
            }
            for index in 0..<count / 2 { text.swapAt(index, count - 1 - index) }
            return count
        }
    }
}
