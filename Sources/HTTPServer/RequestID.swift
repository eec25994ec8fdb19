import HTTP
import HTTPTypes

/// Makes the ids of requests that come without one: 16 hexadecimal digits, random from process to process.
struct RequestIDGenerator {
    static let fieldName = HTTPField.Name("X-Request-Id")!

    private var state: UInt64

    init(seed: UInt64) { state = seed }

    /// The client's id where it is 1 to 128 visible ASCII characters, else a made one.
    mutating func id(for fields: HTTPFields) -> String {
        guard let sent = fields[Self.fieldName], (1...128).contains(sent.utf8.count),
            sent.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else { return next() }
        return sent
    }

    /// Source: SplitMix64 (Steele, Lea, Flood 2014): a bijection of a counter, so that no id comes twice.
    mutating func next() -> String {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        mixed ^= mixed >> 31
        return String(unsafeUninitializedCapacity: 16) { digits in
            for index in 0..<16 {
                let digit = UInt8(truncatingIfNeeded: mixed >> UInt64(60 - 4 * index)) & 15
                digits[index] = digit < 10 ? 0x30 + digit : 0x57 + digit
            }
            return 16
        }
    }
}
