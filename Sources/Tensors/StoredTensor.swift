/// A tensor at rest: in a mapped file, or in memory. Row-major, little-endian.
public struct StoredTensor: Sendable {
    public let elementType: ElementType
    public let shape: Shape
    private let storage: Storage

    private enum Storage: Sendable {
        case mapped(MappedFile, offset: Int)
        case floats([Float])
        case bytes([UInt8])
    }

    /// A tensor whose bytes begin `offset` bytes into `file`.
    /// - Precondition: the tensor lies within the file.
    public init(_ elementType: ElementType, _ shape: Shape, in file: MappedFile, at offset: Int) {
        let (size, overflow) = shape.elementCount.multipliedReportingOverflow(by: elementType.size)
        precondition(
            !overflow && offset >= 0 && offset <= file.count && size <= file.count - offset,
            "a tensor \(shape) at \(offset) of \(file.count) bytes")
        self.elementType = elementType
        self.shape = shape
        storage = .mapped(file, offset: offset)
    }

    /// A tensor in memory.
    /// - Precondition: there are as many values as `shape` has elements.
    public init(_ values: [Float], shape: Shape) {
        precondition(values.count == shape.elementCount, "\(values.count) values for \(shape)")
        elementType = .float32
        self.shape = shape
        storage = .floats(values)
    }

    /// A tensor of bytes in memory.
    /// - Precondition: there are as many values as `shape` has elements.
    public init(bytes values: [UInt8], shape: Shape) { self.init(values, .uint8, shape) }

    /// A tensor of signed bytes in memory.
    /// - Precondition: there are as many values as `shape` has elements.
    public init(signedBytes values: [Int8], shape: Shape) {
        self.init(values.map(UInt8.init(bitPattern:)), .int8, shape)
    }

    private init(_ bytes: [UInt8], _ elementType: ElementType, _ shape: Shape) {
        precondition(bytes.count == shape.elementCount, "\(bytes.count) values for \(shape)")
        self.elementType = elementType
        self.shape = shape
        storage = .bytes(bytes)
    }

    /// Units: bytes.
    public var byteCount: Int { shape.elementCount * elementType.size }

    /// Lends the stored bytes to `body`, which must not keep the pointer.
    public func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        switch storage {
        case .mapped(let file, let offset):
            return try file.withBytes { bytes throws(Failure) in
                try body(UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + byteCount]))
            }
        case .floats(let values):
            return try values.withUnsafeBufferPointer { values throws(Failure) in
                try body(UnsafeRawBufferPointer(values))
            }
        case .bytes(let values):
            return try values.withUnsafeBufferPointer { values throws(Failure) in
                try body(UnsafeRawBufferPointer(values))
            }
        }
    }

    /// Lends the values as f32 to `body`, which must not keep the pointer: the stored ones where they are f32 and
    /// aligned, else a widened copy.
    /// - Precondition: `elementType.isFloat`.
    public func withFloats<Result, Failure: Error>(
        _ body: (UnsafeBufferPointer<Float>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        precondition(elementType.isFloat, "\(elementType.rawValue) values as f32")
        return try withBytes { bytes throws(Failure) in
            let isAligned = Int(bitPattern: bytes.baseAddress) % MemoryLayout<Float>.alignment == 0
            if elementType == .float32 && isAligned { return try body(bytes.bindMemory(to: Float.self)) }
            let widened = Self.widen(bytes, elementType, count: shape.elementCount)
            return try widened.withUnsafeBufferPointer { values throws(Failure) in try body(values) }
        }
    }

    /// The values as f32, F16 and BF16 widened without loss.
    /// - Precondition: `elementType.isFloat`.
    public var floats: [Float] { withFloats { Array($0) } }

    /// The stored values.
    /// - Precondition: `elementType` is `int8`.
    public var signedBytes: [Int8] {
        precondition(elementType == .int8, "\(elementType.rawValue) values as signed bytes")
        return withBytes { $0.map { Int8(bitPattern: $0) } }
    }

    /// The stored values.
    /// - Precondition: `elementType` is `uint8`.
    public var bytes: [UInt8] {
        precondition(elementType == .uint8, "\(elementType.rawValue) values as bytes")
        return withBytes { Array($0) }
    }

    private static func widen(_ bytes: UnsafeRawBufferPointer, _ type: ElementType, count: Int) -> [Float] {
        [Float](unsafeUninitializedCapacity: count) { values, initialized in
            for index in 0..<count {
                values[index] =
                    switch type {
                    case .float16:
                        Float(Float16(bitPattern: bytes.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self)))
                    case .bfloat16:
                        Float(
                            bitPattern: UInt32(bytes.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self)) << 16)
                    default: bytes.loadUnaligned(fromByteOffset: index * 4, as: Float.self)
                    }
            }
            initialized = count
        }
    }
}
