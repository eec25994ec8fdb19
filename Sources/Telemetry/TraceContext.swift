import Parallelism

/// 16 bytes that all spans of a trace have in common.
public struct TraceID: Hashable, Sendable, CustomStringConvertible {
    public var high: UInt64
    public var low: UInt64

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Never the invalid one, all zeros.
    public static func random() -> TraceID {
        randomBits.withLock { TraceID(high: $0.next(), low: $0.next() | 1) }
    }

    /// 32 lower-case hexadecimal digits.
    public var description: String { hexadecimal(high) + hexadecimal(low) }
}

/// 8 bytes that tell a span from the others of its trace.
public struct SpanID: Hashable, Sendable, CustomStringConvertible {
    public var value: UInt64

    public init(_ value: UInt64) { self.value = value }

    /// Never the invalid one, 0.
    public static func random() -> SpanID { SpanID(randomBits.withLock { $0.next() | 1 }) }

    /// 16 lower-case hexadecimal digits.
    public var description: String { hexadecimal(value) }
}

/// What a client says of the trace that its request belongs to.
///
/// Source: W3C Trace Context, §3.2.
public struct TraceParent: Equatable, Sendable {
    public var traceID: TraceID
    /// The client's span.
    public var spanID: SpanID
    /// Whether the client may have recorded it.
    public var isSampled: Bool

    public init(traceID: TraceID, spanID: SpanID, isSampled: Bool) {
        self.traceID = traceID
        self.spanID = spanID
        self.isSampled = isSampled
    }

    /// Reads the field `traceparent`. A version above 00 is read as 00, and may have more behind another dash.
    ///
    /// - Returns: nil for anything that is not as the specification has it: such a trace is not gone on with.
    public init?(_ text: String) {
        var digits = Digits(text)
        guard let version = digits.take(2), version != 0xFF, digits.takeDash(), let high = digits.take(16),
            let low = digits.take(16), digits.takeDash(), let span = digits.take(16), digits.takeDash(),
            let flags = digits.take(2)
        else { return nil }
        guard digits.isAtEnd || version > 0 && digits.takeDash() else { return nil }
        guard high | low != 0, span != 0 else { return nil }
        self.init(traceID: TraceID(high: high, low: low), spanID: SpanID(span), isSampled: flags & 1 == 1)
    }

    private struct Digits {
        private var rest: Substring.UTF8View

        init(_ text: String) { rest = text[...].utf8 }

        var isAtEnd: Bool { rest.isEmpty }

        mutating func takeDash() -> Bool { rest.popFirst() == UInt8(ascii: "-") }

        /// At most 16 digits, none of them in upper case.
        mutating func take(_ count: Int) -> UInt64? {
            var value: UInt64 = 0
            for _ in 0..<count {
                guard let byte = rest.popFirst() else { return nil }
                switch byte {
                case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt64(byte - UInt8(ascii: "0"))
                case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt64(byte - UInt8(ascii: "a") + 10)
                default: return nil
                }
            }
            return value
        }
    }
}

/// Where our own span of a request belongs.
public struct TraceContext: Equatable, Sendable {
    public var traceID: TraceID
    public var spanID: SpanID
    /// The client's span; nil where the trace begins here.
    public var parent: SpanID?
    /// Whether the trace is recorded: by whoever began it, or here.
    public var isSampled: Bool

    public init(traceID: TraceID, spanID: SpanID, parent: SpanID? = nil, isSampled: Bool) {
        self.traceID = traceID
        self.spanID = spanID
        self.parent = parent
        self.isSampled = isSampled
    }

    /// A span of ours in the client's trace.
    public init(in parent: TraceParent) {
        self.init(
            traceID: parent.traceID, spanID: .random(), parent: parent.spanID, isSampled: parent.isSampled)
    }

    /// A trace of our own.
    ///
    /// - Parameter oneIn: how many traces there are for each that is recorded; decided by the trace's id, as
    ///   OpenTelemetry's ratio sampler does, so that whoever goes on with it can come to the same end.
    /// - Precondition: `oneIn` is at least 1.
    public static func beginning(oneIn: Int) -> TraceContext {
        precondition(oneIn >= 1, "one trace in \(oneIn)")
        let id = TraceID.random()
        let isSampled = id.low & (1 << 56 - 1) < UInt64(1 << 56) / UInt64(oneIn)
        return TraceContext(traceID: id, spanID: .random(), isSampled: isSampled)
    }
}

/// The system's own generator costs a system call for each number.
private let randomBits = Lock(Xoshiro256())

/// Source: Blackman and Vigna, "Scrambled linear pseudorandom number generators" (2021), xoshiro256**.
private struct Xoshiro256 {
    private var state: (UInt64, UInt64, UInt64, UInt64)

    init() {
        func seed() -> UInt64 { .random(in: 1 ... .max) }
        state = (seed(), seed(), seed(), seed())
    }

    mutating func next() -> UInt64 {
        func rotated(_ value: UInt64, _ count: UInt64) -> UInt64 { value << count | value >> (64 - count) }
        let result = rotated(state.1 &* 5, 7) &* 9
        let shifted = state.1 << 17
        state.2 ^= state.0
        state.3 ^= state.1
        state.1 ^= state.2
        state.0 ^= state.3
        state.2 ^= shifted
        state.3 = rotated(state.3, 45)
        return result
    }
}

private func hexadecimal(_ value: UInt64) -> String {
    String(unsafeUninitializedCapacity: 16) { digits in
        for index in 0..<16 {
            let digit = UInt8(truncatingIfNeeded: value >> UInt64(60 - 4 * index)) & 15
            digits[index] = digit < 10 ? 0x30 + digit : 0x57 + digit
        }
        return 16
    }
}
