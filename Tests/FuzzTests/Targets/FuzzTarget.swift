/// A reader of bytes from outside, and what must hold of it for any bytes.
///
/// A new one is a file of its own beside this one, a line in `all`, and seeds in Tests/Fixtures/fuzz/NAME.txt.
/// `scripts/fuzz NAME` then runs it under libFuzzer and AddressSanitizer, `FuzzTests` for a bounded time in every test run.
public struct FuzzTarget: Sendable {
    public var name: String
    /// The longest input worth trying.
    public var maximumBytes: Int
    /// What does not hold of these bytes, or nil. A trap is a finding as well.
    public var check: @Sendable ([UInt8]) -> String?

    init(_ name: String, maximumBytes: Int = 512, _ check: @escaping @Sendable ([UInt8]) -> String?) {
        self.name = name
        self.maximumBytes = maximumBytes
        self.check = check
    }

    public static let all: [FuzzTarget] = [
        request, chunks, connection, target, forwarded, answer, multipart, upload, base64, v2, safetensors, model,
        config,
    ]

    public static func named(_ name: String) -> FuzzTarget? { all.first { $0.name == name } }
}

/// A generator whose numbers follow from the input, so that a finding can be run again.
struct InputRandom: RandomNumberGenerator {
    private var state: UInt64

    init(_ bytes: [UInt8]) {
        // Source: FNV-1a, 64 bits.
        state = bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

extension Array<UInt8> {
    var text: String { String(decoding: self, as: UTF8.self) }
}
