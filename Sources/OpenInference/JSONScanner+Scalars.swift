extension JSONScanner {
    /// What the next value begins like, for messages and choices.
    enum Kind {
        case object, array, string, number, boolean, null
    }

    mutating func kind() throws(OpenInferenceError) -> Kind {
        guard let byte = peek() else { throw fault("a value") }
        switch byte {
        case UInt8(ascii: "{"): return .object
        case UInt8(ascii: "["): return .array
        case UInt8(ascii: "\""): return .string
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return .boolean
        case UInt8(ascii: "n"): return .null
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number
        default: throw fault("a value")
        }
    }

    mutating func boolean(_ path: String) throws(OpenInferenceError) -> Bool {
        guard try kind() == .boolean else { throw .member(path: path, expected: "true or false") }
        if bytes[offset] == UInt8(ascii: "t") {
            try literal("true")
            return true
        }
        try literal("false")
        return false
    }

    /// A whole number within `range`, also one that is written as `1.0` or `1e3`: JSON has but one kind of number, and
    /// clients write floats for what their users gave as such.
    mutating func integer(_ path: String, in range: ClosedRange<Int>) throws(OpenInferenceError) -> Int {
        let expected =
            switch (range.lowerBound, range.upperBound) {
            case (.min, .max): "a whole number"
            case (let least, .max): "a whole number of \(least) or more"
            case (let least, let most): "a whole number from \(least) to \(most)"
            }
        guard try kind() == .number else { throw .member(path: path, expected: expected) }
        let start = offset
        let isWhole = try skipNumber()
        let text = offset - start <= 24 ? String(decoding: bytes[start..<offset], as: UTF8.self) : ""
        guard let value = isWhole ? Int(text) : Double(text).flatMap(Int.init(exactly:)), range.contains(value) else {
            throw .member(path: path, expected: expected)
        }
        return value
    }

    /// Passes over a number.
    /// - Returns: whether it is written without fraction and exponent.
    @discardableResult
    mutating func skipNumber() throws(OpenInferenceError) -> Bool {
        _ = peek()
        if at(UInt8(ascii: "-")) { advance() }
        if at(UInt8(ascii: "0")) { advance() } else { try skipDigits() }
        var isWhole = true
        if at(UInt8(ascii: ".")) {
            isWhole = false
            advance()
            try skipDigits()
        }
        if at(UInt8(ascii: "e")) || at(UInt8(ascii: "E")) {
            isWhole = false
            advance()
            if at(UInt8(ascii: "+")) || at(UInt8(ascii: "-")) { advance() }
            try skipDigits()
        }
        return isWhole
    }

    /// One digit at least.
    private mutating func skipDigits() throws(OpenInferenceError) {
        var place = offset
        while place < end, bytes[place] &- 0x30 < 10 { place += 1 }
        guard place > offset else { throw fault("a number") }
        move(to: place)
    }

    @inline(__always)
    private func at(_ byte: UInt8) -> Bool { offset < end && bytes[offset] == byte }

    @inline(__always)
    private mutating func advance() { move(to: offset + 1) }

    mutating func string() throws(OpenInferenceError) -> String {
        var text: [UInt8] = []
        try string(into: &text)
        guard let string = String(validating: text, as: UTF8.self) else { throw fault("a string in UTF-8") }
        return string
    }

    /// `string()`, where the place has a name.
    mutating func string(_ path: String) throws(OpenInferenceError) -> String {
        guard try kind() == .string else { throw .member(path: path, expected: "a string") }
        return try string()
    }

    mutating func skipString() throws(OpenInferenceError) {
        try expect(UInt8(ascii: "\""))
        var place = offset
        while place < end {
            let byte = bytes[place]
            if byte == UInt8(ascii: "\"") { return move(to: place + 1) }
            // What an escape is made of is looked at by who keeps the string.
            guard byte >= 0x20 else { break }
            place += byte == UInt8(ascii: "\\") ? 2 : 1
        }
        move(to: min(place, end))
        throw fault("a string's end")
    }

    /// Appends a string's bytes, its escapes resolved. Source: RFC 8259 §7.
    mutating func string(into text: inout [UInt8]) throws(OpenInferenceError) {
        try expect(UInt8(ascii: "\""))
        while true {
            var place = offset
            while place < end, bytes[place] >= 0x20, bytes[place] != UInt8(ascii: "\""),
                bytes[place] != UInt8(ascii: "\\")
            { place += 1 }
            text.append(contentsOf: bytes[offset..<place])
            move(to: place)
            guard place < end, bytes[place] >= 0x20 else { throw fault("a string's end") }
            move(to: place + 1)
            if bytes[place] == UInt8(ascii: "\"") { return }
            try escape(into: &text)
        }
    }

    private mutating func escape(into text: inout [UInt8]) throws(OpenInferenceError) {
        guard offset < end else { throw fault("an escape") }
        let byte = bytes[offset]
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            advance()
            var value = try fourHexadecimalDigits()
            if value & 0xFC00 == 0xD800 {
                guard at(UInt8(ascii: "\\")) else { throw fault("the second half of a surrogate pair") }
                advance()
                guard at(UInt8(ascii: "u")) else { throw fault("the second half of a surrogate pair") }
                advance()
                let low = try fourHexadecimalDigits()
                guard low & 0xFC00 == 0xDC00 else { throw fault("the second half of a surrogate pair") }
                value = 0x10000 + (value & 0x3FF) << 10 + (low & 0x3FF)
            }
            guard let scalar = UnicodeScalar(value) else { throw fault("a Unicode scalar") }
            text.append(contentsOf: UTF8.encode(scalar)!)
            return
        default: throw fault("an escape")
        }
        advance()
    }

    private mutating func fourHexadecimalDigits() throws(OpenInferenceError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard offset < end, let digit = Character(UnicodeScalar(bytes[offset])).hexDigitValue,
                bytes[offset] < 0x80
            else { throw fault("four hexadecimal digits") }
            value = value << 4 | UInt32(digit)
            advance()
        }
        return value
    }
}
