/// A reader of an npy header: the literal of a Python dictionary with the keys `descr`, `fortran_order` and `shape`.
struct NpyHeader {
    let bytes: UnsafeRawBufferPointer
    private var offset = 0

    init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// The array's shape, once type and order are known to be the supported ones.
    mutating func parse() throws(NpyFault) -> Shape {
        var type: String?
        var isFortranOrder: Bool?
        var dimensions: [Int]?
        try expect("{")
        while !take("}") {
            let start = offset
            let key = try string()
            try expect(":")
            switch key {
            case "descr" where type == nil: type = try string()
            case "fortran_order" where isFortranOrder == nil: isFortranOrder = try boolean()
            case "shape" where dimensions == nil: dimensions = try tuple()
            default: throw .malformedHeader(offset: start, expected: "'descr', 'fortran_order' or 'shape', each once")
            }
            if !take(",") {
                try expect("}")
                break
            }
        }
        skipSpace()
        guard offset == bytes.count else { throw .malformedHeader(offset: offset, expected: "the header's end") }
        guard let type, let isFortranOrder, let dimensions else {
            throw .malformedHeader(offset: offset, expected: "'descr', 'fortran_order' and 'shape'")
        }
        guard type == "<f4" else { throw .unsupportedElementType(type) }
        guard !isFortranOrder else { throw .fortranOrder }
        guard let shape = Shape(validating: dimensions) else { throw .impossibleShape(dimensions) }
        return shape
    }

    private mutating func skipSpace() {
        while offset < bytes.count, bytes[offset] == UInt8(ascii: " ") || bytes[offset] == UInt8(ascii: "\n") {
            offset += 1
        }
    }

    private mutating func take(_ token: StaticString) -> Bool {
        skipSpace()
        let wanted = UnsafeRawBufferPointer(start: token.utf8Start, count: token.utf8CodeUnitCount)
        guard bytes[offset...].starts(with: wanted) else { return false }
        offset += wanted.count
        return true
    }

    private mutating func expect(_ token: StaticString) throws(NpyFault) {
        guard take(token) else { throw .malformedHeader(offset: offset, expected: "'\(token)'") }
    }

    private mutating func string() throws(NpyFault) -> String {
        skipSpace()
        let quotes = [UInt8(ascii: "'"), UInt8(ascii: "\"")]
        guard offset < bytes.count, quotes.contains(bytes[offset]),
            let end = bytes[(offset + 1)...].firstIndex(of: bytes[offset])
        else { throw .malformedHeader(offset: offset, expected: "a string") }
        let text = String(decoding: bytes[(offset + 1)..<end], as: UTF8.self)
        offset = end + 1
        return text
    }

    private mutating func boolean() throws(NpyFault) -> Bool {
        if take("True") { return true }
        if take("False") { return false }
        throw .malformedHeader(offset: offset, expected: "True or False")
    }

    private mutating func tuple() throws(NpyFault) -> [Int] {
        var dimensions: [Int] = []
        try expect("(")
        while !take(")") {
            skipSpace()
            let digits = bytes[offset...].prefix { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
            guard let dimension = Int(String(decoding: digits, as: UTF8.self)) else {
                throw .malformedHeader(offset: offset, expected: "a dimension")
            }
            offset += digits.count
            dimensions.append(dimension)
            if !take(",") {
                try expect(")")
                break
            }
        }
        return dimensions
    }
}
