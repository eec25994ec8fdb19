/// One block of the network, all numbers final: nothing is left to scale.
public struct BlockSpec: Equatable, Sendable {
    public enum Kind: String, Sendable {
        /// Expand 1×1, depthwise k×k, squeeze-and-excite, project 1×1. Source: arXiv 1905.11946.
        case mbConv
        /// Expand by a full k×k convolution, then project 1×1; with an expansion of 1 a single k×k convolution.
        /// Source: arXiv 2104.00298.
        case fusedMBConv
    }

    public let kind: Kind
    public let kernel: Int
    public let stride: Int
    public let inputChannels: Int
    public let expandedChannels: Int
    public let outputChannels: Int
    /// Channels of the squeeze-and-excite bottleneck: a quarter of the block's input channels; nil without one.
    public let squeezeChannels: Int?
    /// The stage that the block belongs to, from 0.
    public let stage: Int
    /// The block's place in its stage, from 0.
    public let indexInStage: Int

    public init(
        kind: Kind, kernel: Int, stride: Int, inputChannels: Int, expandedChannels: Int, outputChannels: Int,
        squeezeChannels: Int?, stage: Int, indexInStage: Int
    ) {
        self.kind = kind
        self.kernel = kernel
        self.stride = stride
        self.inputChannels = inputChannels
        self.expandedChannels = expandedChannels
        self.outputChannels = outputChannels
        self.squeezeChannels = squeezeChannels
        self.stage = stage
        self.indexInStage = indexInStage
    }

    /// Whether the block's input is added to its output.
    public var hasResidual: Bool { stride == 1 && inputChannels == outputChannels }

    /// Whether the block is wider inside than at its input. An MBConv without expansion has no expand convolution,
    /// a fused one no projection.
    public var hasExpansion: Bool { expandedChannels != inputChannels }

    /// The convolutions, in the order in which they run.
    public var parts: [BlockPart] {
        switch kind {
        case .mbConv:
            (hasExpansion ? [.expand] : []) + [.depthwise]
                + (squeezeChannels == nil ? [] : [.squeezeReduce, .squeezeExpand]) + [.project]
        case .fusedMBConv: hasExpansion ? [.fused, .project] : [.fused]
        }
    }
}

/// One convolution of a block.
public enum BlockPart: String, Hashable, Sendable {
    case expand, depthwise, squeezeReduce, squeezeExpand, project
    /// The full k×k convolution of a fused block.
    case fused
}
