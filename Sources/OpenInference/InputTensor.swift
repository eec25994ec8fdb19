/// A tensor of a request: its elements lie in `storage`, as the binary extension sends them, whichever way they came.
public struct InputTensor: Sendable, Equatable {
    public var name: String
    public var datatype: Datatype
    /// Dimensions of 1 and more, whose product is `elementCount`.
    public var shape: [Int]
    public var elementCount: Int
    public var storage: [UInt8]
    public var range: Range<Int>
    /// Whether the range is the one element itself, without its length before it.
    public var isRaw = false

    /// Where each BYTES element lies in `storage`.
    ///
    /// - Throws: `truncatedElement`, `elementCount`.
    /// - Precondition: the datatype is BYTES.
    /// - Complexity: O(`elementCount`) in time and memory: look at the shape first.
    public func byteElements() throws(OpenInferenceError) -> [Range<Int>] {
        precondition(datatype == .bytes, "only BYTES have elements of their own lengths")
        if isRaw { return [range] }
        var elements: [Range<Int>] = []
        var offset = range.lowerBound
        while offset < range.upperBound {
            // The length, four bytes little-endian.
            guard range.upperBound - offset >= 4 else { throw .truncatedElement(tensor: name, index: elements.count) }
            var length = 0
            for byte in 0..<4 { length |= Int(storage[offset + byte]) << (8 * byte) }
            let start = offset + 4
            guard range.upperBound - start >= length else {
                throw .truncatedElement(tensor: name, index: elements.count)
            }
            guard elements.count < elementCount else {
                throw .elementCount(tensor: name, found: elements.count + 1, expected: elementCount)
            }
            elements.append(start..<start + length)
            offset = start + length
        }
        guard elements.count == elementCount else {
            throw .elementCount(tensor: name, found: elements.count, expected: elementCount)
        }
        return elements
    }
}

/// An output that a request asks for.
public struct RequestedOutput: Sendable, Equatable {
    public var name: String
    /// Nil where the request's own choice holds.
    public var isBinary: Bool?
    /// How many classes the classification extension is to give; nil for the tensor itself.
    public var classCount: Int?

    public init(name: String, isBinary: Bool? = nil, classCount: Int? = nil) {
        self.name = name
        self.isBinary = isBinary
        self.classCount = classCount
    }
}
