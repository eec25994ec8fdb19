import Tensors

/// The header of a safetensors file: which tensor lies where.
struct SafetensorsHeader {
    struct Entry {
        let name: String
        let type: ElementType
        let shape: Shape
        /// Units: bytes behind the header.
        let begin: Int
        let end: Int
    }

    /// In the header's order.
    private(set) var entries: [Entry] = []
    private(set) var metadata: [String: String] = [:]

    /// Parses the JSON; `checkLayout` then holds it against the file.
    init(_ bytes: UnsafeRawBufferPointer) throws(SafetensorsFault) {
        guard bytes.first == UInt8(ascii: "{") else { throw .malformedHeader(offset: 0, expected: "'{'") }
        var scanner = HeaderScanner(bytes)
        var entries: [Entry] = []
        var names: Set<String> = []
        var metadata: [String: String]?
        try scanner.object { (name, scanner) throws(SafetensorsFault) in
            if name == "__metadata__" {
                guard metadata == nil else { throw .duplicateTensor(name) }
                metadata = try Self.metadata(&scanner)
            } else {
                guard names.insert(name).inserted else { throw .duplicateTensor(name) }
                entries.append(try Self.entry(name, &scanner))
            }
        }
        if scanner.peek() != nil { throw .malformedHeader(offset: scanner.offset, expected: "the header's end") }
        self.entries = entries
        self.metadata = metadata ?? [:]
    }

    private static func metadata(_ scanner: inout HeaderScanner) throws(SafetensorsFault) -> [String: String] {
        var metadata: [String: String] = [:]
        try scanner.object { (key, scanner) throws(SafetensorsFault) in
            guard metadata.updateValue(try scanner.string(), forKey: key) == nil else {
                throw .duplicateMetadata(key: key)
            }
        }
        return metadata
    }

    private static func entry(_ name: String, _ scanner: inout HeaderScanner) throws(SafetensorsFault) -> Entry {
        var typeName: String?
        var dimensions: [Int]?
        var offsets: [Int]?
        try scanner.object { (key, scanner) throws(SafetensorsFault) in
            switch key {
            case "dtype" where typeName == nil: typeName = try scanner.string()
            case "shape" where dimensions == nil: dimensions = try scanner.integers(tensor: name, key: key)
            case "data_offsets" where offsets == nil: offsets = try scanner.integers(tensor: name, key: key)
            case "dtype", "shape", "data_offsets": throw .duplicateKey(tensor: name, key: key)
            default: throw .unknownKey(tensor: name, key: key)
            }
        }
        guard let typeName else { throw .missingKey(tensor: name, key: "dtype") }
        guard let dimensions else { throw .missingKey(tensor: name, key: "shape") }
        guard let offsets else { throw .missingKey(tensor: name, key: "data_offsets") }
        guard let type = ElementType(rawValue: typeName) else {
            throw .unsupportedElementType(tensor: name, type: typeName)
        }
        guard let shape = Shape(validating: dimensions) else { throw .overflow(tensor: name, key: "shape") }
        guard offsets.count == 2 else { throw .offsetsNotAPair(tensor: name, count: offsets.count) }
        return Entry(name: name, type: type, shape: shape, begin: offsets[0], end: offsets[1])
    }

    /// Every tensor has the bytes that its shape needs, none overlap, and none of the `available` bytes is left over.
    func checkLayout(available: Int) throws(SafetensorsFault) {
        for entry in entries {
            guard entry.begin <= entry.end else {
                throw .offsetsReversed(tensor: entry.name, begin: entry.begin, end: entry.end)
            }
            guard entry.end <= available else {
                throw .offsetsOutOfRange(tensor: entry.name, end: entry.end, available: available)
            }
            let (size, overflow) = entry.shape.elementCount.multipliedReportingOverflow(by: entry.type.size)
            guard !overflow else { throw .overflow(tensor: entry.name, key: "shape") }
            guard size == entry.end - entry.begin else {
                throw .sizeMismatch(tensor: entry.name, found: entry.end - entry.begin, expected: size)
            }
        }
        var end = 0
        var previous = ""
        for entry in entries.sorted(by: { ($0.begin, $0.end) < ($1.begin, $1.end) }) {
            guard entry.begin >= end else { throw .overlap(tensor: entry.name, with: previous) }
            guard entry.begin == end else { throw .hole(before: entry.name, byteCount: entry.begin - end) }
            (end, previous) = (entry.end, entry.name)
        }
        guard end == available else { throw .trailingBytes(available - end) }
    }
}
