/// Why a file is not an array that `NpyArray` reads.
public enum NpyFault: Error, Equatable, Sendable {
    case missingMagic
    case unsupportedVersion(major: Int, minor: Int)
    /// The file ends within its header.
    case truncatedHeader
    /// What the header should have said at a byte of it.
    case malformedHeader(offset: Int, expected: String)
    case unsupportedElementType(String)
    case fortranOrder
    case impossibleShape([Int])
    /// Units: bytes after the header.
    case wrongSize(found: Int, expected: Int)
}

extension NpyFault: CustomStringConvertible {
    public var description: String {
        switch self {
        case .missingMagic: "not an npy file"
        case .unsupportedVersion(let major, let minor): "npy version \(major).\(minor), not 1.0 or 2.0"
        case .truncatedHeader: "the npy header is cut off"
        case .malformedHeader(let offset, let expected): "byte \(offset) of the npy header: expected \(expected)"
        case .unsupportedElementType(let name): "elements of type '\(name)', not '<f4'"
        case .fortranOrder: "the array is in Fortran order, not C order"
        case .impossibleShape(let dimensions): "an array of shape \(dimensions)"
        case .wrongSize(let found, let expected): "\(found) bytes of values where the shape needs \(expected)"
        }
    }
}

/// An array in NumPy's file format: little-endian f32 in C order.
///
/// Source: NumPy Enhancement Proposal 1, versions 1.0 and 2.0.
public struct NpyArray: Equatable, Sendable {
    public let shape: Shape
    public let values: [Float]

    /// - Precondition: there are as many values as `shape` has elements.
    public init(_ values: [Float], shape: Shape) {
        precondition(values.count == shape.elementCount, "\(values.count) values for \(shape)")
        self.shape = shape
        self.values = values
    }

    /// Reads a file.
    /// - Throws: `TensorFileError.npy` with what is wrong, or why the file cannot be read.
    public init(path: String) throws(TensorFileError) {
        let file = try MappedFile(path: path)
        self = try file.withBytes { bytes throws(TensorFileError) in
            do throws(NpyFault) { return try NpyArray(bytes: bytes) } catch { throw .npy(path: path, error) }
        }
    }

    /// Reads a file's bytes.
    public init(bytes: UnsafeRawBufferPointer) throws(NpyFault) {
        guard bytes.count >= Self.magic.count + 2, bytes.prefix(Self.magic.count).elementsEqual(Self.magic) else {
            throw .missingMagic
        }
        let (major, minor) = (Int(bytes[6]), Int(bytes[7]))
        guard (major == 1 || major == 2), minor == 0 else { throw .unsupportedVersion(major: major, minor: minor) }
        let lengthSize = major == 1 ? 2 : 4
        let start = 8 + lengthSize
        guard bytes.count >= start else { throw .truncatedHeader }
        let length =
            major == 1
            ? Int(UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt16.self)))
            : Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self)))
        guard length <= bytes.count - start else { throw .truncatedHeader }
        var header = NpyHeader(bytes: UnsafeRawBufferPointer(rebasing: bytes[start..<start + length]))
        let shape = try header.parse()
        let data = bytes[(start + length)...]
        let (size, overflow) = shape.elementCount.multipliedReportingOverflow(by: MemoryLayout<Float>.size)
        guard !overflow else { throw .impossibleShape(shape.dimensions) }
        guard data.count == size else { throw .wrongSize(found: data.count, expected: size) }
        self.shape = shape
        values = [Float](unsafeUninitializedCapacity: shape.elementCount) { buffer, initialized in
            UnsafeMutableRawBufferPointer(buffer).copyBytes(from: data)
            initialized = shape.elementCount
        }
    }

    static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)
}

extension NpyArray {
    /// Writes the array as version 1.0, replacing the file at once.
    /// - Throws: `cannotWrite`.
    public func write(to path: String) throws(TensorFileError) {
        let tuple = shape.dimensions.map(String.init).joined(separator: ", ") + (shape.rank == 1 ? "," : "")
        var header = "{'descr': '<f4', 'fortran_order': False, 'shape': (\(tuple)), }"
        let unpadded = Self.magic.count + 4 + header.utf8.count + 1
        header += String(repeating: " ", count: (64 - unpadded % 64) % 64) + "\n"
        precondition(header.utf8.count <= Int(UInt16.max), "a shape of \(shape.rank) dimensions")
        let length = UInt16(header.utf8.count)
        let preamble = Self.magic + [1, 0, UInt8(length & 0xFF), UInt8(length >> 8)] + Array(header.utf8)
        let file = try AtomicFile(path: path)
        try file.write(preamble)
        try file.write(values)
        try file.finish()
    }
}
