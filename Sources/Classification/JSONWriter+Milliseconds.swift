import HTTP

extension JSONWriter {
    /// A time in milliseconds, to the microsecond.
    mutating func milliseconds(_ name: StaticString, nanoseconds: Int64) {
        json(name, Self.text(nanoseconds))
    }

    /// The same under a name that is not known before.
    mutating func milliseconds(key: String, nanoseconds: Int64) { json(key: key, Self.text(nanoseconds)) }

    private static func text(_ nanoseconds: Int64) -> String {
        let microseconds = max(0, nanoseconds + 500) / 1000
        return "\(microseconds / 1000).\(String(1000 + microseconds % 1000).dropFirst())"
    }
}
