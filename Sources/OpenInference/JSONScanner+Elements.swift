extension JSONScanner {
    /// Numbers with more characters are nobody's.
    static let numberLengthLimit = 1024

    /// Reads the elements of `data`, flat or nested, from lists that `skipValue` has passed over already, and appends
    /// them as the binary extension would have sent them.
    ///
    /// - Throws: `element` where one is not of the datatype, `elementCount` where there are not `count` of them.
    /// - Complexity: linear in the text.
    mutating func elements(
        of datatype: Datatype, count: Int, tensor: String, into content: inout [UInt8]
    ) throws(OpenInferenceError) {
        var found = 0
        while let byte = peek() {
            switch byte {
            case UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: ","):
                move(to: offset + 1)
                continue
            default: break
            }
            guard found < count else {
                found += 1
                try skipValue()
                continue
            }
            switch datatype {
            case .fp32:
                let bits = try float(tensor, found).bitPattern
                for shift in stride(from: UInt32(0), to: 32, by: 8) {
                    content.append(UInt8(truncatingIfNeeded: bits >> shift))
                }
            case .uint8: content.append(try byteValue(tensor, found))
            case .bytes: try byteString(tensor, found, into: &content)
            }
            found += 1
        }
        guard found == count else { throw .elementCount(tensor: tensor, found: found, expected: count) }
    }

    /// Numerics: the nearest float, halves to even, as `Float(_: String)` has it.
    private mutating func float(_ tensor: String, _ index: Int) throws(OpenInferenceError) -> Float {
        let expected = "a finite number of single precision"
        guard try kind() == .number else { throw .element(tensor: tensor, index: index, expected: expected) }
        let start = offset
        let decimal = scanDecimal()
        guard offset - start <= Self.numberLengthLimit,
            let value = decimal.nearestFloat ?? Float(String(decoding: bytes[start..<offset], as: UTF8.self)),
            value.isFinite
        else { throw .element(tensor: tensor, index: index, expected: expected) }
        return value
    }

    private mutating func byteValue(_ tensor: String, _ index: Int) throws(OpenInferenceError) -> UInt8 {
        var value = 0
        var place = offset
        while place < end, bytes[place] &- 0x30 < 10, value <= 255 {
            value = value * 10 + Int(bytes[place] &- 0x30)
            place += 1
        }
        guard place > offset, value <= 255, place == end || Self.endsNumber(bytes[place]) else {
            throw .element(tensor: tensor, index: index, expected: "a whole number from 0 to 255")
        }
        move(to: place)
        return UInt8(value)
    }

    private static func endsNumber(_ byte: UInt8) -> Bool {
        [0x20, 0x09, 0x0A, 0x0D, UInt8(ascii: ","), UInt8(ascii: "]")].contains(byte)
    }

    private mutating func byteString(
        _ tensor: String, _ index: Int, into content: inout [UInt8]
    ) throws(OpenInferenceError) {
        guard try kind() == .string else { throw .element(tensor: tensor, index: index, expected: "a string") }
        let start = content.count
        content.append(contentsOf: [0, 0, 0, 0])
        try string(into: &content)
        let length = UInt32(content.count - start - 4)
        for byte in 0..<4 { content[start + byte] = UInt8(truncatingIfNeeded: length >> (8 * UInt32(byte))) }
    }

    /// Reads a number that is well-formed.
    private mutating func scanDecimal() -> Decimal {
        var decimal = Decimal()
        var place = offset
        if bytes[place] == UInt8(ascii: "-") {
            decimal.isNegative = true
            place += 1
        }
        while place < end, bytes[place] &- 0x30 < 10 {
            decimal.append(bytes[place] &- 0x30, isFraction: false)
            place += 1
        }
        if place < end, bytes[place] == UInt8(ascii: ".") {
            place += 1
            while place < end, bytes[place] &- 0x30 < 10 {
                decimal.append(bytes[place] &- 0x30, isFraction: true)
                place += 1
            }
        }
        if place < end, bytes[place] | 0x20 == UInt8(ascii: "e") {
            place += 1
            var isNegative = false
            if place < end, bytes[place] == UInt8(ascii: "-") || bytes[place] == UInt8(ascii: "+") {
                isNegative = bytes[place] == UInt8(ascii: "-")
                place += 1
            }
            var exponent = 0
            while place < end, bytes[place] &- 0x30 < 10 {
                exponent = min(exponent * 10 + Int(bytes[place] &- 0x30), 1_000_000)
                place += 1
            }
            decimal.exponent += isNegative ? -exponent : exponent
        }
        move(to: place)
        return decimal
    }
}

/// `mantissa · 10^exponent`, the mantissa cut off after 19 digits.
struct Decimal {
    var isNegative = false
    private(set) var mantissa: UInt64 = 0
    var exponent = 0
    private var digits = 0

    mutating func append(_ digit: UInt8, isFraction: Bool) {
        if digits < 19 {
            mantissa = mantissa * 10 + UInt64(digit)
            if mantissa > 0 { digits += 1 }
            if isFraction { exponent -= 1 }
        } else if !isFraction {
            exponent += 1
        }
    }

    private static let powers: [Double] = (0...64).map { Double("1e\($0)")! }

    /// The nearest float, where double precision suffices to tell it: nearly always.
    ///
    /// Numerics: the mantissa, the power and their product or quotient are each rounded once, and what is cut off is
    /// below 1e-18 of it: together less than 2^-50. Where everything as near as that rounds to the same float, that is it.
    var nearestFloat: Float? {
        if mantissa == 0 { return isNegative ? -0.0 : 0 }
        // Far below half of the least float, and far above the greatest.
        guard abs(exponent) <= 64 else {
            let extreme: Float = exponent < 0 ? 0 : .infinity
            return isNegative ? -extreme : extreme
        }
        let power = Self.powers[abs(exponent)]
        let value = exponent < 0 ? Double(mantissa) / power : Double(mantissa) * power
        let margin = value * 0x1p-50
        let (low, high) = (Float(value - margin), Float(value + margin))
        guard low == high else { return nil }
        return isNegative ? -low : low
    }
}
