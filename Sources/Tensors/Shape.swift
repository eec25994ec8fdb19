/// The dimensions of a tensor, outermost first, whose element count is known to fit in an `Int`.
public struct Shape: Hashable, Sendable {
    public let dimensions: [Int]
    /// The product of the dimensions; 1 of a scalar.
    public let elementCount: Int

    /// Nil where a dimension is negative or the element count overflows.
    public init?(validating dimensions: [Int]) {
        var count = 1
        var isEmpty = false
        for dimension in dimensions {
            guard dimension >= 0 else { return nil }
            if dimension == 0 { isEmpty = true; continue }  // the others must still not overflow
            let (product, overflow) = count.multipliedReportingOverflow(by: dimension)
            guard !overflow else { return nil }
            count = product
        }
        self.dimensions = dimensions
        elementCount = isEmpty ? 0 : count
    }

    /// - Precondition: no dimension is negative and the element count fits in an `Int`.
    public init(_ dimensions: [Int]) {
        guard let shape = Shape(validating: dimensions) else { preconditionFailure("a tensor of \(dimensions)") }
        self = shape
    }

    public var rank: Int { dimensions.count }

    public subscript(axis: Int) -> Int { dimensions[axis] }
}

extension Shape: ExpressibleByArrayLiteral {
    public init(arrayLiteral dimensions: Int...) { self.init(dimensions) }
}

extension Shape: CustomStringConvertible {
    public var description: String { "[" + dimensions.map(String.init).joined(separator: ", ") + "]" }
}
