/// Reads JSON from front to back without making a tree of it: memory is taken only for what the caller keeps.
///
/// Source: RFC 8259. Nesting is bounded, and nothing recurses with it.
struct JSONScanner {
    /// How deep lists and objects may lie in each other.
    static let depthLimit = 32

    let bytes: [UInt8]
    /// Where the text ends in `bytes`.
    let end: Int
    private(set) var offset: Int

    /// - Precondition: `range` lies within `bytes`.
    init(_ bytes: [UInt8], range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count, "\(range) of \(bytes.count) bytes")
        self.bytes = bytes
        end = range.upperBound
        offset = range.lowerBound
    }

    func fault(_ expected: String) -> OpenInferenceError { .malformedJSON(offset: offset, expected: expected) }

    /// The byte at the current place, behind any white space; nil at the end.
    @inline(__always)
    mutating func peek() -> UInt8? {
        while offset < end {
            let byte = bytes[offset]
            guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { return byte }
            offset += 1
        }
        return nil
    }

    /// Whether the next byte is `byte`, which is then taken.
    @inline(__always)
    mutating func take(_ byte: UInt8) -> Bool {
        guard peek() == byte else { return false }
        offset += 1
        return true
    }

    mutating func expect(_ byte: UInt8) throws(OpenInferenceError) {
        guard take(byte) else { throw fault("'\(Character(UnicodeScalar(byte)))'") }
    }

    /// Nothing but white space may follow.
    mutating func finish() throws(OpenInferenceError) {
        guard peek() == nil else { throw fault("the end") }
    }

    /// Reads `{"name": value, …}`; `member` reads each value.
    mutating func object(
        _ member: (String, inout JSONScanner) throws(OpenInferenceError) -> Void
    ) throws(OpenInferenceError) {
        try expect(UInt8(ascii: "{"))
        if take(UInt8(ascii: "}")) { return }
        repeat {
            let name = try string()
            try expect(UInt8(ascii: ":"))
            try member(name, &self)
        } while take(UInt8(ascii: ","))
        try expect(UInt8(ascii: "}"))
    }

    /// Reads `[value, …]`; `element` reads each value.
    mutating func array(
        _ element: (Int, inout JSONScanner) throws(OpenInferenceError) -> Void
    ) throws(OpenInferenceError) {
        try expect(UInt8(ascii: "["))
        if take(UInt8(ascii: "]")) { return }
        var index = 0
        repeat {
            try element(index, &self)
            index += 1
        } while take(UInt8(ascii: ","))
        try expect(UInt8(ascii: "]"))
    }

    /// Passes over any value, which must be well-formed.
    mutating func skipValue() throws(OpenInferenceError) {
        // What is open, the innermost in the lowest bit: 1 for an object.
        var kinds: UInt64 = 0
        var depth = 0
        values: while true {
            guard let byte = peek() else { throw fault("a value") }
            switch byte {
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                guard depth < Self.depthLimit else { throw fault("at most \(Self.depthLimit) levels") }
                offset += 1
                let isObject = byte == UInt8(ascii: "{")
                if take(isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) { break }
                kinds = kinds << 1 | (isObject ? 1 : 0)
                depth += 1
                if isObject { try skipName() }
                continue values
            case UInt8(ascii: "\""): try skipString()
            case UInt8(ascii: "t"): try literal("true")
            case UInt8(ascii: "f"): try literal("false")
            case UInt8(ascii: "n"): try literal("null")
            default: try skipNumber()
            }
            while depth > 0 {
                let isObject = kinds & 1 == 1
                if take(UInt8(ascii: ",")) {
                    if isObject { try skipName() }
                    continue values
                }
                try expect(isObject ? UInt8(ascii: "}") : UInt8(ascii: "]"))
                kinds >>= 1
                depth -= 1
            }
            return
        }
    }

    private mutating func skipName() throws(OpenInferenceError) {
        try skipString()
        try expect(UInt8(ascii: ":"))
    }

    mutating func literal(_ text: StaticString) throws(OpenInferenceError) {
        _ = peek()
        let matches = text.withUTF8Buffer { literal in
            end - offset >= literal.count && bytes[offset..<offset + literal.count].elementsEqual(literal)
        }
        guard matches else { throw fault("\(text)") }
        offset += text.utf8CodeUnitCount
    }

    /// Moves to a place that has been passed, or past what has been read by other means.
    mutating func move(to place: Int) {
        precondition(place >= 0 && place <= end, "place \(place) of \(end)")
        offset = place
    }
}
