import Tensors

/// The weights of an architecture: every tensor present, of the right shape, and in floating point.
public struct Checkpoint: Sendable {
    public private(set) var architecture: Architecture
    /// Whose names the tensors had.
    public let dialect: Dialect
    private let tensors: [Parameter: StoredTensor]

    /// Takes from `tensors` what the architecture needs, by the dialect's names. The number of classes comes from the
    /// classifier's weight. PyTorch's own counters (`num_batches_tracked`) are left out.
    /// - Throws: a mismatch that lists every missing, surplus and misshapen tensor.
    public init(
        architecture: Architecture, dialect: Dialect, tensors: [String: StoredTensor]
    ) throws(CheckpointMismatch) {
        var architecture = architecture
        if let weight = tensors[dialect.classifierWeight], weight.shape.rank == 2, weight.shape[0] > 0 {
            architecture.classCount = weight.shape[0]
        }
        var found: [Parameter: StoredTensor] = [:]
        var mismatch = CheckpointMismatch(architecture: architecture.name, dialect: dialect)
        var expectedNames: Set<String> = []
        let parameters = architecture.parameters()
        found.reserveCapacity(parameters.count)
        expectedNames.reserveCapacity(parameters.count)
        for (parameter, shape) in parameters {
            let name = architecture.name(of: parameter, in: dialect)
            expectedNames.insert(name)
            guard let tensor = tensors[name] else {
                mismatch.missing.append(name)
                continue
            }
            if tensor.shape.dimensions != shape {
                mismatch.misshapen.append(.init(name: name, found: tensor.shape.dimensions, expected: shape))
            } else if !tensor.elementType.isFloat {
                mismatch.mistyped.append(name)
            }
            found[parameter] = tensor
        }
        mismatch.surplus = tensors.keys.filter { !expectedNames.contains($0) && !Dialect.isBookkeeping($0) }.sorted()
        guard mismatch.isEmpty else { throw mismatch }
        self.architecture = architecture
        self.dialect = dialect
        self.tensors = found
    }

    /// The same weights, to be run with another padding or epsilon than dialect and name give.
    public func with(padding: Padding?, batchNormEpsilon: Float?) -> Checkpoint {
        var copy = self
        if let padding { copy.architecture.padding = padding }
        if let batchNormEpsilon { copy.architecture.batchNormEpsilon = batchNormEpsilon }
        return copy
    }

    /// A parameter as it is stored.
    /// - Precondition: the parameter is one of `architecture.parameters()`.
    public func tensor(_ parameter: Parameter) -> StoredTensor {
        guard let tensor = tensors[parameter] else { preconditionFailure("\(architecture.name) has no \(parameter)") }
        return tensor
    }

    /// A parameter's values, row-major in PyTorch's layout (OIHW; [out, in] of the classifier); F16 and BF16 widened.
    /// - Precondition: the parameter is one of `architecture.parameters()`.
    public func values(of parameter: Parameter) -> [Float] { tensor(parameter).floats }

}

/// In what ways a set of tensors is not a checkpoint of an architecture.
public struct CheckpointMismatch: Error, Equatable, Sendable {
    public struct Misshapen: Equatable, Sendable {
        public let name: String
        public let found: [Int]
        public let expected: [Int]

        public init(name: String, found: [Int], expected: [Int]) {
            self.name = name
            self.found = found
            self.expected = expected
        }
    }

    public let architecture: String
    public let dialect: Dialect
    /// In the architecture's order.
    public var missing: [String] = []
    /// Sorted.
    public var surplus: [String] = []
    /// In the architecture's order.
    public var misshapen: [Misshapen] = []
    /// Tensors of integers. In the architecture's order.
    public var mistyped: [String] = []

    public init(architecture: String, dialect: Dialect) {
        self.architecture = architecture
        self.dialect = dialect
    }

    public var isEmpty: Bool { missing.isEmpty && surplus.isEmpty && misshapen.isEmpty && mistyped.isEmpty }
}

extension CheckpointMismatch: CustomStringConvertible {
    public var description: String {
        let lists: [(String, [String])] = [
            ("missing", missing), ("surplus", surplus),
            ("misshapen", misshapen.map { "\($0.name) \($0.found) instead of \($0.expected)" }),
            ("not floating point", mistyped),
        ]
        let parts = lists.filter { !$0.1.isEmpty }
            .map { "\($0.1.count) \($0.0): " + Self.excerpt($0.1) }
        return "no \(architecture) in \(dialect.rawValue)'s names: " + parts.joined(separator: "; ")
    }

    /// The first three, and how many more there are.
    private static func excerpt(_ names: [String]) -> String {
        let rest = names.count > 3 ? " and \(names.count - 3) more" : ""
        return names.prefix(3).joined(separator: ", ") + rest
    }
}
