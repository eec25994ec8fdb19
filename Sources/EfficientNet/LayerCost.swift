/// What one layer costs for one image.
public struct LayerCost: Equatable, Sendable {
    public let layer: Layer
    /// Shapes: [channels, height, width].
    public let inputShape: [Int]
    /// Shapes: [channels, height, width].
    public let outputShape: [Int]
    /// Multiply-accumulates; biases, batch norms, activations and pooling are not counted.
    public let multiplyAccumulates: Int
    /// Bytes of the layer's output in f32.
    public var activationBytes: Int { outputShape.reduce(MemoryLayout<Float>.size, *) }
}

extension Architecture {
    /// The largest image side that the network is asked to describe.
    public static let maximumInputSide = 65_536

    /// Shapes and MACs of every layer for an image of any size, in the order in which they run.
    /// - Throws: `impossibleInputSize` where a side is outside `1...maximumInputSide`.
    public func costs(height: Int, width: Int) throws(ArchitectureError) -> [LayerCost] {
        let sides = 1...Self.maximumInputSide
        guard sides.contains(height), sides.contains(width) else {
            throw .impossibleInputSize(height: height, width: width)
        }
        var (height, width) = (height, width)
        var costs: [LayerCost] = []
        for layer in layers {
            let (inputHeight, inputWidth) = layer.isPooled ? (1, 1) : (height, width)
            var (outputHeight, outputWidth) = (inputHeight, inputWidth)
            if !layer.isPooled {
                outputHeight = padding.outputSize(of: height, kernel: layer.kernel, stride: layer.stride)
                outputWidth = padding.outputSize(of: width, kernel: layer.kernel, stride: layer.stride)
                (height, width) = (outputHeight, outputWidth)
            }
            costs.append(
                LayerCost(
                    layer: layer, inputShape: [layer.inputChannels, inputHeight, inputWidth],
                    outputShape: [layer.outputChannels, outputHeight, outputWidth],
                    multiplyAccumulates: layer.weightShape.reduce(outputHeight * outputWidth, *)))
        }
        return costs
    }
}
