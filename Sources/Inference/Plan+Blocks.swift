/// One block of a plan, as a profile counts it.
public struct PlanBlock: Sendable {
    /// What it is made of: `24→144 56² dw5/2 →40 28²`.
    public let name: String
    /// Multiply-accumulates of one image, by part.
    public let multiplyAccumulates: [RunProfile.Part: Int]
    /// Packed weights and biases, read once a batch where they are read once at all.
    public let weightBytes: Int
    /// What one image reads and writes of stored tensors: the input, the output and what is stored between them.
    public let activationBytes: Int
}

extension Plan {
    /// The image, every segment, the head's convolution with its average, and the classifier: in the order in which they run.
    public var blocks: [PlanBlock] {
        switch network {
        case .float(let plan): plan.blocks
        case .bytes(let plan): plan.blocks
        }
    }
}

extension FloatPlan {
    fileprivate var blocks: [PlanBlock] {
        let pixels = inputHeight * inputWidth * architecture.inputChannels
        let image = PlanBlock(
            name: "image \(inputHeight)×\(inputWidth)", multiplyAccumulates: [:], weightBytes: 0,
            activationBytes: 4 * pixels + 4 * imageRows * imageRowPitch)
        let last = segments[segments.count - 1].output
        let headBlock = PlanBlock(
            name: "head \(last.channels)→\(head.columns)",
            multiplyAccumulates: [.front: last.pixels * head.depth * head.columns], weightBytes: head.bytes,
            activationBytes: 4 * (last.size + head.columns))
        let classifierBlock = PlanBlock(
            name: "classifier \(classifier.depth)→\(classifier.columns)",
            multiplyAccumulates: [.classifier: classifier.depth * classifier.columns], weightBytes: classifier.bytes,
            activationBytes: 4 * (classifier.depth + classifier.columns))
        return [image] + segments.map(\.block) + [headBlock, classifierBlock]
    }
}

extension SegmentPlan {
    fileprivate var block: PlanBlock {
        var name = "\(input.channels)"
        var work: [RunProfile.Part: Int] = [:]
        var bytes = 0
        if let front {
            name += front.kernel == 1 ? "→\(middle.channels)" : "→\(middle.channels) k\(front.kernel)/\(front.stride)"
            work[.front] = middle.pixels * front.multiplyAccumulates
            bytes += front.bytes
        }
        if let depthwise {
            name += " dw\(depthwise.kernel)/\(depthwiseStride)"
            work[.depthwise] = output.pixels * depthwise.channels * depthwise.kernel * depthwise.kernel
            bytes += depthwise.bytes
        }
        if let squeeze {
            name += " se\(squeeze.reduce.columns)"
            work[.squeeze] = squeeze.reduce.depth * squeeze.reduce.columns * 2
            bytes += squeeze.reduce.bytes + squeeze.expand.bytes
        }
        if let projection {
            name += " →\(output.channels)"
            work[.projection] = output.pixels * projection.depth * projection.columns
            bytes += projection.bytes
        }
        name += " \(output.height)×\(output.width)" + (hasResidual ? " +" : "")
        let inner = storesInner ? innerPixels * middle.stride : 0
        return PlanBlock(
            name: name, multiplyAccumulates: work, weightBytes: bytes,
            activationBytes: 4 * (input.size * (hasResidual ? 2 : 1) + output.size + 2 * inner))
    }
}

extension BytePlan {
    fileprivate var blocks: [PlanBlock] {
        let image = PlanBlock(
            name: "image \(inputHeight)×\(inputWidth)", multiplyAccumulates: [:], weightBytes: 0,
            activationBytes: 2 * imageRows * imageRowPitch)
        let last = steps[steps.count - 1].output
        let headBlock = PlanBlock(
            name: "head \(last.channels)→\(head.columns)",
            multiplyAccumulates: [.front: last.pixels * last.channels * head.columns], weightBytes: head.bytes,
            activationBytes: last.size + head.columns)
        let classifierBlock = PlanBlock(
            name: "classifier \(head.columns)→\(classifier.columns)",
            multiplyAccumulates: [.classifier: head.columns * classifier.columns], weightBytes: classifier.bytes,
            activationBytes: head.columns + 4 * classifier.columns)
        return [image] + steps.map(\.block) + [headBlock, classifierBlock]
    }
}

extension ByteStep {
    fileprivate var block: PlanBlock {
        switch self {
        case .bytes(let segment): return segment.block
        case .kept(let stretch):
            let blocks = stretch.plan.segments.map(\.block)
            return PlanBlock(
                name: "fp32 " + blocks.map(\.name).joined(separator: ", "),
                multiplyAccumulates: blocks.reduce(into: [:]) { $0.merge($1.multiplyAccumulates, uniquingKeysWith: +) },
                weightBytes: blocks.map(\.weightBytes).reduce(0, +),
                activationBytes: blocks.map(\.activationBytes).reduce(0, +))
        }
    }
}

extension ByteSegmentPlan {
    fileprivate var block: PlanBlock {
        var name = "\(input.channels)"
        var work: [RunProfile.Part: Int] = [:]
        var bytes = 0
        if let front {
            name += front.kernel == 1 ? "→\(middle.channels)" : "→\(middle.channels) k\(front.kernel)/\(front.stride)"
            work[.front] = middle.pixels * middle.channels * front.kernel * front.kernel * input.channels
            bytes += front.matrix.bytes
        }
        if let depthwise {
            name += " dw\(depthwise.kernel)/\(depthwise.stride)"
            work[.depthwise] = output.pixels * depthwise.channels * depthwise.kernel * depthwise.kernel
            bytes += depthwise.bytes
        }
        if let squeeze {
            name += " se\(squeeze.reduce.outputs)"
            work[.squeeze] = squeeze.reduce.inputs * squeeze.reduce.outputs * 2
            bytes += 8 * squeeze.reduce.inputs * squeeze.reduce.columns
        }
        if let projection {
            name += " →\(output.channels)"
            work[.projection] = output.pixels * middle.channels * projection.columns
            bytes += projection.bytes
        }
        name += " \(output.height)×\(output.width)" + (hasResidual ? " +" : "")
        return PlanBlock(
            name: name, multiplyAccumulates: work, weightBytes: bytes,
            activationBytes: input.size * (hasResidual ? 2 : 1) + output.size + (storesInner ? 2 * innerSize : 0))
    }
}
