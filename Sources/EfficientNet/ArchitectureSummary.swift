/// An architecture at one image size, in figures: what `swiftlet describe` prints. Keys are snake_case.
public struct ArchitectureSummary: Encodable, Equatable, Sendable {
    /// The stem, a stage of blocks, the head or the classifier.
    public struct Stage: Encodable, Equatable, Sendable {
        /// `stem`, `1`, `2`, …, `head`, `classifier`.
        public let name: String
        /// Such as `MBConv6 5×5, SE`.
        public let operation: String
        public let repeats: Int
        /// Of the first block.
        public let stride: Int
        /// Shapes: [channels, height, width].
        public let inputShape: [Int]
        /// Shapes: [channels, height, width].
        public let outputShape: [Int]
        public let parameters: Int
        /// Multiply-accumulates of an image.
        public let macs: Int
        /// Bytes of all its layers' outputs in f32, for an image.
        public let activationBytes: Int

        private enum CodingKeys: String, CodingKey {
            case name, operation, repeats, stride, parameters, macs
            case inputShape = "input_shape"
            case outputShape = "output_shape"
            case activationBytes = "activation_bytes"
        }
    }

    public let name: String
    public let title: String
    /// Shapes: [channels, height, width].
    public let inputShape: [Int]
    public let activation: Activation
    public let padding: Padding
    public let batchNormEpsilon: Float
    public let dropout: Double
    public let classes: Int
    public let embeddingLength: Int
    public let parameters: Int
    /// Multiply-accumulates of convolutions and linear layers, for an image. FLOPs are twice as many.
    public let macs: Int
    /// Bytes of all layers' outputs in f32, for an image: an engine that fuses and reuses memory needs far less.
    public let activationBytes: Int
    public let stages: [Stage]

    private enum CodingKeys: String, CodingKey {
        case name, title, activation, padding, dropout, classes, parameters, macs, stages
        case inputShape = "input_shape"
        case batchNormEpsilon = "batch_norm_epsilon"
        case embeddingLength = "embedding_length"
        case activationBytes = "activation_bytes"
    }
}

extension Architecture {
    /// The figures for an image of `height` × `width`, each nil meaning `inputSize`.
    /// - Throws: `impossibleInputSize` where a side is outside `1...maximumInputSide`.
    public func summary(
        height: Int? = nil, width: Int? = nil
    ) throws(ArchitectureError) -> ArchitectureSummary {
        let (height, width) = (height ?? inputSize, width ?? inputSize)
        let costs = try costs(height: height, width: width)
        let stageCount = stages.count
        var groups = [[LayerCost]](repeating: [], count: stageCount + 3)
        for cost in costs {
            switch cost.layer.location {
            case .stem: groups[0].append(cost)
            case .block(let index, _): groups[1 + blocks[index].stage].append(cost)
            case .head: groups[stageCount + 1].append(cost)
            case .classifier: groups[stageCount + 2].append(cost)
            }
        }
        let rows = groups.compactMap(row(of:))
        return ArchitectureSummary(
            name: name, title: title, inputShape: [inputChannels, height, width], activation: activation,
            padding: padding, batchNormEpsilon: batchNormEpsilon, dropout: dropout, classes: classCount,
            embeddingLength: headChannels, parameters: rows.reduce(0) { $0 + $1.parameters },
            macs: rows.reduce(0) { $0 + $1.macs }, activationBytes: rows.reduce(0) { $0 + $1.activationBytes },
            stages: rows)
    }

    /// The row of the layers of one stage; nil of none.
    private func row(of costs: [LayerCost]) -> ArchitectureSummary.Stage? {
        guard let first = costs.first, let last = costs.last else { return nil }
        let layer = first.layer
        let (name, operation, repeats, stride) =
            switch layer.location {
            case .stem: ("stem", "Conv \(layer.kernel)×\(layer.kernel)", 1, layer.stride)
            case .head: ("head", "Conv 1×1", 1, 1)
            case .classifier: ("classifier", "Pool, linear", 1, 1)
            case .block(let index, _):
                (
                    String(blocks[index].stage + 1), blocks[index].operation, stages[blocks[index].stage].count,
                    blocks[index].stride
                )
            }
        return ArchitectureSummary.Stage(
            name: name, operation: operation, repeats: repeats, stride: stride, inputShape: first.inputShape,
            outputShape: last.outputShape, parameters: costs.reduce(0) { $0 + $1.layer.parameterCount },
            macs: costs.reduce(0) { $0 + $1.multiplyAccumulates },
            activationBytes: costs.reduce(0) { $0 + $1.activationBytes })
    }
}

extension BlockSpec {
    /// Such as `MBConv6 5×5, SE`.
    fileprivate var operation: String {
        let name = kind == .mbConv ? "MBConv" : "FusedMBConv"
        return "\(name)\(expandedChannels / inputChannels) \(kernel)×\(kernel)" + (squeezeChannels == nil ? "" : ", SE")
    }
}
