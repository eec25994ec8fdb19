/// An EfficientNet as a value: what is computed, in which order, with which shapes. Weights are a `Checkpoint`'s.
public struct Architecture: Equatable, Sendable {
    /// The first convolution.
    public struct Stem: Equatable, Sendable {
        public let outputChannels: Int
        public let kernel = 3
        public let stride = 2

        public init(outputChannels: Int) { self.outputChannels = outputChannels }
    }

    /// As torchvision or timm call it, such as `efficientnet_b0` or `tf_efficientnetv2_b0`.
    public let name: String
    /// As people call it, such as `EfficientNet-B0`.
    public let title: String
    /// Height and width of the images that the variant was designed for; any other size runs too.
    public let inputSize: Int
    /// Probability of dropping a feature before the classifier, in training.
    public let dropout: Double
    public let activation: Activation
    public var padding: Padding
    /// What is added to a batch norm's variance before the root.
    public var batchNormEpsilon: Float
    public var classCount: Int
    public let inputChannels = 3
    public let stem: Stem
    /// All blocks, in order.
    public let blocks: [BlockSpec]
    /// Channels after the last 1×1 convolution: the length of an embedding.
    public let headChannels: Int

    public init(
        name: String, title: String, inputSize: Int, dropout: Double, activation: Activation, padding: Padding,
        batchNormEpsilon: Float, classCount: Int, stem: Stem, blocks: [BlockSpec], headChannels: Int
    ) {
        self.name = name
        self.title = title
        self.inputSize = inputSize
        self.dropout = dropout
        self.activation = activation
        self.padding = padding
        self.batchNormEpsilon = batchNormEpsilon
        self.classCount = classCount
        self.stem = stem
        self.blocks = blocks
        self.headChannels = headChannels
    }

    /// The indices into `blocks` of each stage.
    public var stages: [Range<Int>] {
        var stages: [Range<Int>] = []
        for (index, block) in blocks.enumerated() {
            if block.stage < stages.count {
                stages[block.stage] = stages[block.stage].lowerBound..<index + 1
            } else {
                stages.append(index..<index + 1)
            }
        }
        return stages
    }
}

/// Why there is no such architecture.
public enum ArchitectureError: Error, Equatable, Sendable {
    /// No variant has this name.
    case unknownVariant(String)
    /// A compound scaling that gives no network: a factor that is not finite, not positive or far too large.
    case impossibleScaling(phi: Double, alpha: Double, beta: Double, gamma: Double)
    /// An image side outside `1...Architecture.maximumInputSide`.
    case impossibleInputSize(height: Int, width: Int)
}

extension ArchitectureError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unknownVariant(let name):
            "no variant is called '\(name)'; there are "
                + Variant.all.map(\.name).joined(separator: ", ") + ", and tf_… for TensorFlow's padding"
        case .impossibleScaling(let phi, let alpha, let beta, let gamma):
            "phi \(phi) with alpha \(alpha), beta \(beta), gamma \(gamma) gives no network"
        case .impossibleInputSize(let height, let width):
            "an image of \(width)×\(height): each side must be 1 to \(Architecture.maximumInputSide)"
        }
    }
}
