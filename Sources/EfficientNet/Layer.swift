/// One convolution or linear layer with what belongs to it (batch norm, or bias): the unit of parameters and MACs.
public struct Layer: Equatable, Sendable {
    public enum Location: Hashable, Sendable {
        case stem
        /// Index into `Architecture.blocks`, and the convolution of that block.
        case block(Int, BlockPart)
        case head, classifier
    }

    public let location: Location
    public let inputChannels: Int
    public let outputChannels: Int
    public let kernel: Int
    public let stride: Int
    public var isDepthwise: Bool { location.part == .depthwise }

    /// Whether the layer works on one vector an image (after pooling) instead of a picture.
    public var isPooled: Bool {
        switch location {
        case .classifier, .block(_, .squeezeReduce), .block(_, .squeezeExpand): true
        default: false
        }
    }

    /// Followed by a batch norm; a layer that is not has a bias instead.
    public var hasBatchNorm: Bool { !isPooled }

    /// Shapes: OIHW of a convolution, [out, in] of the classifier.
    public var weightShape: [Int] {
        switch location {
        case .classifier: [outputChannels, inputChannels]
        default: [outputChannels, isDepthwise ? 1 : inputChannels, kernel, kernel]
        }
    }

    /// What training learns: weight, and batch-norm weight and bias, or bias.
    public var parameterCount: Int { weightShape.reduce(1, *) + (hasBatchNorm ? 2 : 1) * outputChannels }
}

extension Layer.Location {
    /// Which convolution of its block, where it is in one.
    public var part: BlockPart? { if case .block(_, let part) = self { part } else { nil } }
}

extension Architecture {
    /// All layers, in the order in which they run.
    public var layers: [Layer] {
        var layers = [
            Layer(
                location: .stem, inputChannels: inputChannels, outputChannels: stem.outputChannels,
                kernel: stem.kernel, stride: stem.stride)
        ]
        for (index, block) in blocks.enumerated() {
            for part in block.parts { layers.append(block.layer(part, blockIndex: index)) }
        }
        let last = blocks.last?.outputChannels ?? stem.outputChannels
        layers.append(
            Layer(location: .head, inputChannels: last, outputChannels: headChannels, kernel: 1, stride: 1))
        layers.append(
            Layer(
                location: .classifier, inputChannels: headChannels, outputChannels: classCount, kernel: 1, stride: 1))
        return layers
    }

    /// What training learns: weights and biases, without the running statistics of batch norms.
    public var parameterCount: Int { layers.reduce(0) { $0 + $1.parameterCount } }
}

extension BlockSpec {
    fileprivate func layer(_ part: BlockPart, blockIndex: Int) -> Layer {
        let squeeze = squeezeChannels ?? 0
        let (input, output, kernel, stride) =
            switch part {
            case .expand: (inputChannels, expandedChannels, 1, 1)
            case .depthwise: (expandedChannels, expandedChannels, kernel, stride)
            case .squeezeReduce: (expandedChannels, squeeze, 1, 1)
            case .squeezeExpand: (squeeze, expandedChannels, 1, 1)
            case .project: (expandedChannels, outputChannels, 1, 1)
            case .fused: (inputChannels, hasExpansion ? expandedChannels : outputChannels, kernel, stride)
            }
        return Layer(
            location: .block(blockIndex, part), inputChannels: input, outputChannels: output, kernel: kernel,
            stride: stride)
    }
}
