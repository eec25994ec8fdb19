/// What a tensor is to its layer.
public enum Role: String, Hashable, Sendable, CaseIterable {
    case convolutionWeight, convolutionBias
    case batchNormWeight, batchNormBias, batchNormMean, batchNormVariance
}

/// Which tensor of an architecture, whatever a dialect calls it.
public enum Parameter: Hashable, Sendable {
    case stem(Role)
    /// Index into `Architecture.blocks`.
    case block(Int, BlockPart, Role)
    case head(Role)
    case classifierWeight, classifierBias
}

extension Parameter {
    /// The layer that the tensor belongs to.
    public var location: Layer.Location {
        switch self {
        case .stem: .stem
        case .block(let index, let part, _): .block(index, part)
        case .head: .head
        case .classifierWeight, .classifierBias: .classifier
        }
    }

    /// What the tensor is to its layer; the classifier counts as a convolution.
    public var role: Role {
        switch self {
        case .stem(let role), .block(_, _, let role), .head(let role): role
        case .classifierWeight: .convolutionWeight
        case .classifierBias: .convolutionBias
        }
    }

    init(_ location: Layer.Location, _ role: Role) {
        switch location {
        case .stem: self = .stem(role)
        case .block(let index, let part): self = .block(index, part, role)
        case .head: self = .head(role)
        case .classifier: self = role == .convolutionWeight ? .classifierWeight : .classifierBias
        }
    }
}

extension Layer {
    /// The tensors that the layer needs, each with its shape in PyTorch's layout.
    public var parameters: [(parameter: Parameter, shape: [Int])] {
        let rest: [Role] =
            hasBatchNorm
            ? [.batchNormWeight, .batchNormBias, .batchNormMean, .batchNormVariance] : [.convolutionBias]
        return [(Parameter(location, .convolutionWeight), weightShape)]
            + rest.map { (Parameter(location, $0), [outputChannels]) }
    }
}

extension Architecture {
    /// Every tensor of a checkpoint, running statistics included, each with its shape in PyTorch's layout
    /// (OIHW, [out, in] of the classifier).
    public func parameters() -> [(parameter: Parameter, shape: [Int])] { layers.flatMap(\.parameters) }
}
