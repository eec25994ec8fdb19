/// A strict reader of the JSON that a safetensors header may hold: objects, arrays of integers, strings.
///
/// It exists because a general decoder forgets duplicate keys, which the format forbids. Nothing nests deeper than the
/// format says, so hostile input cannot recurse.
struct HeaderScanner {
    private let bytes: UnsafeRawBufferPointer
    private(set) var offset = 0

    /// - Precondition: `bytes` outlives the scanner.
    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    var isAtEnd: Bool { offset == bytes.count }

    /// The byte at the current place, behind any white space.
    mutating func peek() -> UInt8? {
        while offset < bytes.count {
            let byte = bytes[offset]
            guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { return byte }
            offset += 1
        }
        return nil
    }

    /// Whether the next byte is `byte`, which is then taken.
    mutating func take(_ byte: UInt8) -> Bool {
        guard peek() == byte else { return false }
        offset += 1
        return true
    }

    mutating func expect(_ byte: UInt8) throws(SafetensorsFault) {
        guard take(byte) else {
            throw .malformedHeader(offset: offset, expected: "'\(Character(UnicodeScalar(byte)))'")
        }
    }

    /// Reads `{ "key": value, … }`; `value` reads each value.
    mutating func object(
        _ value: (String, inout HeaderScanner) throws(SafetensorsFault) -> Void
    ) throws(SafetensorsFault) {
        try expect(UInt8(ascii: "{"))
        if take(UInt8(ascii: "}")) { return }
        repeat {
            let key = try string()
            try expect(UInt8(ascii: ":"))
            try value(key, &self)
        } while take(UInt8(ascii: ","))
        try expect(UInt8(ascii: "}"))
    }

    /// Reads a string. Source: RFC 8259, section 7.
    mutating func string() throws(SafetensorsFault) -> String {
        try expect(UInt8(ascii: "\""))
        let start = offset
        while offset < bytes.count, bytes[offset] != UInt8(ascii: "\""), bytes[offset] != UInt8(ascii: "\\"),
            bytes[offset] >= 0x20
        { offset += 1 }
        var units = [UInt8]()
        if offset < bytes.count, bytes[offset] == UInt8(ascii: "\\") {
            units = Array(bytes[start..<offset])
            try unescape(into: &units)
        }
        guard offset < bytes.count, bytes[offset] == UInt8(ascii: "\"") else {
            throw .malformedHeader(offset: offset, expected: "the end of a string")
        }
        defer { offset += 1 }
        let text =
            units.isEmpty
            ? String(validating: UnsafeRawBufferPointer(rebasing: bytes[start..<offset]), as: UTF8.self)
            : String(validating: units, as: UTF8.self)
        guard let text else { throw .malformedHeader(offset: start, expected: "UTF-8") }
        return text
    }

    /// Reads the rest of a string with escapes, up to its closing quote.
    private mutating func unescape(into units: inout [UInt8]) throws(SafetensorsFault) {
        while offset < bytes.count, bytes[offset] != UInt8(ascii: "\""), bytes[offset] >= 0x20 {
            let byte = bytes[offset]
            offset += 1
            guard byte == UInt8(ascii: "\\") else {
                units.append(byte)
                continue
            }
            guard offset < bytes.count else { break }
            let escape = bytes[offset]
            offset += 1
            switch escape {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): units.append(escape)
            case UInt8(ascii: "b"): units.append(0x08)
            case UInt8(ascii: "f"): units.append(0x0C)
            case UInt8(ascii: "n"): units.append(0x0A)
            case UInt8(ascii: "r"): units.append(0x0D)
            case UInt8(ascii: "t"): units.append(0x09)
            case UInt8(ascii: "u"): units.append(contentsOf: String(try escapedScalar()).utf8)
            default: throw .malformedHeader(offset: offset - 1, expected: "an escape of JSON")
            }
        }
    }

    /// Reads the digits of `\u`, and a second `\u` where the first is half a surrogate pair.
    private mutating func escapedScalar() throws(SafetensorsFault) -> Character {
        let start = offset
        let high = try hexadecimal()
        if let scalar = UnicodeScalar(high) { return Character(scalar) }
        if bytes[offset...].starts(with: [UInt8(ascii: "\\"), UInt8(ascii: "u")]), high < 0xDC00 {
            offset += 2
            let low = try hexadecimal()
            if (0xDC00...0xDFFF).contains(low),
                let scalar = UnicodeScalar(0x10000 + (high - 0xD800) << 10 + (low - 0xDC00))
            {
                return Character(scalar)
            }
        }
        throw .malformedHeader(offset: start, expected: "a surrogate pair")
    }

    private mutating func hexadecimal() throws(SafetensorsFault) -> UInt32 {
        let digits = bytes[offset...].prefix(4)
        var value: UInt32 = 0
        for digit in digits {
            guard let nibble = Character(UnicodeScalar(digit)).hexDigitValue else { break }
            value = value << 4 | UInt32(nibble)
            offset += 1
        }
        guard digits.count == 4, offset == digits.endIndex else {
            throw .malformedHeader(offset: offset, expected: "four hexadecimal digits")
        }
        return value
    }

    /// Reads `[1, 2, …]`: non-negative integers without leading zeros that fit in an `Int`.
    ///
    /// `tensor` and `key` say whose numbers these are.
    mutating func integers(tensor: String, key: String) throws(SafetensorsFault) -> [Int] {
        var numbers: [Int] = []
        try expect(UInt8(ascii: "["))
        if take(UInt8(ascii: "]")) { return numbers }
        repeat {
            guard let first = peek() else { throw .malformedHeader(offset: offset, expected: "a number") }
            if first == UInt8(ascii: "-") { throw .negativeNumber(tensor: tensor, key: key) }
            let start = offset
            var value = 0
            while offset < bytes.count, case let digit = Int(bytes[offset]) - 0x30, (0...9).contains(digit) {
                let (product, productOverflow) = value.multipliedReportingOverflow(by: 10)
                let (sum, sumOverflow) = product.addingReportingOverflow(digit)
                guard !productOverflow, !sumOverflow else { throw .overflow(tensor: tensor, key: key) }
                value = sum
                offset += 1
            }
            guard offset > start, offset == start + 1 || first != UInt8(ascii: "0") else {
                throw .malformedHeader(offset: start, expected: "a whole number")
            }
            numbers.append(value)
        } while take(UInt8(ascii: ","))
        try expect(UInt8(ascii: "]"))
        return numbers
    }
}
