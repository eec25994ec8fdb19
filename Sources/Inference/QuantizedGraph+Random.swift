import EfficientNet
import Kernels

extension QuantizedGraph {
    /// A network with random weights whose activations use their bytes' range: to measure speed, and to hold engines
    /// against each other. The same seed gives the same network.
    public init(randomWeightsFor architecture: Architecture, seed: UInt64 = 1) {
        var random = RandomLayers(state: seed)
        var segments: [Block] = []
        var affine = AffineQuantization(scales: [1 / 128], zeroPoint: 127)
        let activation = architecture.kernelActivation
        func dense(_ layer: Layer, isLinear: Bool = false) -> QuantizedLayer {
            random.layer(layer, activation: isLinear ? .none : activation)
        }
        for layout in architecture.segmentLayouts {
            var segment = QuantizedSegment(input: affine)
            segment.hasResidual = layout.hasResidual
            if let layer = layout.front { segment.front = dense(layer) }
            if let layer = layout.depthwise { segment.depthwise = dense(layer) }
            if let reduce = layout.squeezeReduce, let expand = layout.squeezeExpand {
                segment.squeeze = (
                    random.floatLayer(reduce, activation: activation), random.floatLayer(expand, activation: .sigmoid)
                )
                segment.gated = AffineQuantization(
                    scales: segment.depthwise!.output!.scales.map { $0 / 2 },
                    zeroPoint: segment.depthwise!.output!.zeroPoint)
            }
            if let layer = layout.projection { segment.projection = dense(layer, isLinear: true) }
            segments.append(.integer(segment))
            affine = segment.output
        }
        func only(_ location: Layer.Location) -> Layer { architecture.layers.first { $0.location == location }! }
        let head = dense(only(.head))
        var classifier = dense(only(.classifier), isLinear: true)
        classifier.output = nil
        self.init(
            architecture: architecture, normalisation: .imageNet, segments: segments, headInput: affine, head: head,
            features: head.output!, classifier: classifier)
    }
}

private struct RandomLayers {
    var state: UInt64

    /// In 0..<1.
    mutating func next() -> Float {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Float(state >> 40) / Float(1 << 24)
    }

    mutating func layer(_ layer: Layer, activation: KernelActivation) -> QuantizedLayer {
        let fanIn = layer.weightShape.dropFirst().reduce(1, *)
        let scale = 0.03 / Float(fanIn).squareRoot()
        // Any two weights obey |w| + |w'| ≤ 128.
        let weights = (0..<layer.outputChannels * fanIn).map { _ in Int8(next() * 129 - 64.5) }
        let bias = (0..<layer.outputChannels).map { _ in next() - 0.5 }
        let output =
            switch activation {
            case .relu6: AffineQuantization(scales: channelScales(6, layer.outputChannels), zeroPoint: 0)
            case .silu: AffineQuantization(scales: channelScales(6, layer.outputChannels), zeroPoint: 12)
            default: AffineQuantization(scales: channelScales(8, layer.outputChannels), zeroPoint: 130)
            }
        return QuantizedLayer(
            inputs: layer.inputChannels, outputs: layer.outputChannels, kernel: layer.kernel, stride: layer.stride,
            weights: weights, scales: (0..<layer.outputChannels).map { _ in scale * (0.75 + next() / 2) / 16 },
            bias: bias, activation: activation, output: output)
    }

    /// One a channel, for ranges of `range` at the most.
    private mutating func channelScales(_ range: Float, _ channels: Int) -> [Float] {
        (0..<channels).map { _ in range / 255 * (1 - next() / 2) }
    }

    mutating func floatLayer(_ layer: Layer, activation: KernelActivation) -> DenseLayer {
        let fanIn = layer.weightShape.dropFirst().reduce(1, *)
        let range = 4 / Float(fanIn).squareRoot()
        return DenseLayer(
            inputs: layer.inputChannels, outputs: layer.outputChannels, kernel: 1, stride: 1,
            weights: (0..<layer.outputChannels * fanIn).map { _ in (next() - 0.5) * range },
            bias: (0..<layer.outputChannels).map { _ in next() - 0.5 }, activation: activation)
    }
}
