import EfficientNet
import Kernels

/// A convolution over all input channels, with its batch norm folded in.
public struct DenseLayer: Sendable {
    package let inputs: Int
    package let outputs: Int
    package let kernel: Int
    package let stride: Int
    /// `[outputs][inputs][kernel][kernel]`.
    package let weights: [Float]
    /// `[outputs]`.
    package let bias: [Float]
    package let activation: KernelActivation

    package init(
        inputs: Int, outputs: Int, kernel: Int, stride: Int, weights: [Float], bias: [Float],
        activation: KernelActivation
    ) {
        self.inputs = inputs
        self.outputs = outputs
        self.kernel = kernel
        self.stride = stride
        self.weights = weights
        self.bias = bias
        self.activation = activation
    }
}

/// A convolution of each channel by itself, with its batch norm folded in.
public struct DepthwiseLayer: Sendable {
    package let channels: Int
    package let kernel: Int
    package let stride: Int
    /// `[channels][kernel][kernel]`.
    package let weights: [Float]
    /// `[channels]`.
    package let bias: [Float]
    package let activation: KernelActivation
}

/// What is computed together, from one stored tensor to the next: the unit of fusion.
///
/// front (dense convolution) → depthwise → squeeze-and-excite → projection, each of them optional, and the input added
/// to the result where the block has a residual. An MBConv, a fused MBConv and a lone convolution are all this; the
/// stem is the front of the first block where that block does not expand.
public struct Segment: Sendable {
    package var front: DenseLayer?
    package var depthwise: DepthwiseLayer?
    package var squeeze: (reduce: DenseLayer, expand: DenseLayer)?
    package var projection: DenseLayer?
    package var hasResidual = false
}

/// The network as it is computed: batch norms folded, activations fused, weights still in their natural order.
public struct Graph: Sendable {
    public let architecture: Architecture
    package let segments: [Segment]
    package let head: DenseLayer
    package let classifier: DenseLayer

    /// The network of `checkpoint`, with its weights.
    /// - Throws: `InferenceError.impossibleWeights` where values are not finite or a variance is negative.
    public init(_ checkpoint: Checkpoint) throws(InferenceError) {
        let architecture = checkpoint.architecture
        try self.init(
            architecture: architecture, nameOf: { architecture.name(of: $0, in: checkpoint.dialect) },
            values: { checkpoint.values(of: $0) })
    }

    /// - Parameter values: f32 values of a tensor, row-major in PyTorch's layout; called once for each of
    ///   `architecture.parameters()`.
    /// - Parameter nameOf: what an error calls a tensor.
    /// - Throws: `InferenceError.impossibleWeights`.
    public init(
        architecture: Architecture, nameOf: (Parameter) -> String = { "\($0)" }, values: (Parameter) -> [Float]
    ) throws(InferenceError) {
        self.architecture = architecture
        let activation: KernelActivation =
            switch architecture.activation {
            case .silu: .silu
            case .relu6: .relu6
            }
        var layers: [Layer.Location: Layer] = [:]
        for layer in architecture.layers { layers[layer.location] = layer }
        func folded(_ layer: Layer) throws(InferenceError) -> (weights: [Float], bias: [Float]) {
            do throws(ImpossibleWeights) {
                return try layer.foldedWeightsAndBias(epsilon: architecture.batchNormEpsilon, values: values)
            } catch { throw .impossibleWeights(tensor: nameOf(error.parameter)) }
        }
        func dense(
            _ location: Layer.Location, _ activation: KernelActivation
        ) throws(InferenceError) -> DenseLayer {
            let layer = layers[location]!
            let (weights, bias) = try folded(layer)
            return DenseLayer(
                inputs: layer.inputChannels, outputs: layer.outputChannels, kernel: layer.kernel, stride: layer.stride,
                weights: weights, bias: bias, activation: activation)
        }

        var segments: [Segment] = []
        var pendingStem: DenseLayer? = try dense(.stem, activation)
        for (index, block) in architecture.blocks.enumerated() {
            var segment = Segment()
            segment.hasResidual = block.hasResidual
            let parts = block.parts
            if let stem = pendingStem {
                pendingStem = nil
                if parts.first == .depthwise && !block.hasResidual {
                    segment.front = stem
                } else {
                    segments.append(Segment(front: stem))
                }
            }
            for part in parts {
                let location = Layer.Location.block(index, part)
                switch part {
                case .expand, .fused: segment.front = try dense(location, activation)
                case .depthwise:
                    let layer = layers[location]!
                    let (weights, bias) = try folded(layer)
                    segment.depthwise = DepthwiseLayer(
                        channels: layer.outputChannels, kernel: layer.kernel, stride: layer.stride, weights: weights,
                        bias: bias, activation: activation)
                case .squeezeReduce:
                    segment.squeeze = (
                        try dense(location, activation), try dense(.block(index, .squeezeExpand), .sigmoid)
                    )
                case .squeezeExpand: break
                case .project: segment.projection = try dense(location, .none)
                }
            }
            segments.append(segment)
        }
        if let stem = pendingStem { segments.append(Segment(front: stem)) }
        self.segments = segments
        head = try dense(.head, activation)
        classifier = try dense(.classifier, .none)
    }
}

/// A tensor that no training can have left behind.
private struct ImpossibleWeights: Error {
    let parameter: Parameter
}

extension Layer {
    /// Weights and bias with the batch norm put into them: w' = w · γ/√(σ² + ε), b' = β - μ · γ/√(σ² + ε).
    fileprivate func foldedWeightsAndBias(
        epsilon: Float, values: (Parameter) -> [Float]
    ) throws(ImpossibleWeights) -> (weights: [Float], bias: [Float]) {
        var tensors: [Role: [Float]] = [:]
        for (parameter, _) in parameters {
            let found = values(parameter)
            let isPossible =
                parameter.role == .batchNormVariance
                ? found.allSatisfy { $0.isFinite && $0 + epsilon > 0 } : found.allSatisfy(\.isFinite)
            guard isPossible else { throw ImpossibleWeights(parameter: parameter) }
            tensors[parameter.role] = found
        }
        var weights = tensors[.convolutionWeight]!
        guard hasBatchNorm else { return (weights, tensors[.convolutionBias]!) }
        let gamma = tensors[.batchNormWeight]!
        let beta = tensors[.batchNormBias]!
        let mean = tensors[.batchNormMean]!
        let variance = tensors[.batchNormVariance]!
        let perOutput = weights.count / outputChannels
        var bias = [Float](repeating: 0, count: outputChannels)
        for output in 0..<outputChannels {
            let scale = Double(gamma[output]) / (Double(variance[output]) + Double(epsilon)).squareRoot()
            weights.withUnsafeMutableBufferPointer { weights in
                for i in output * perOutput..<(output + 1) * perOutput {
                    weights[i] = Float(Double(weights[i]) * scale)
                }
            }
            bias[output] = Float(Double(beta[output]) - Double(mean[output]) * scale)
        }
        return (weights, bias)
    }
}
