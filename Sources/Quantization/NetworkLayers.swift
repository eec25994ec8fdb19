import EfficientNet
import Inference
import Kernels

/// A convolution of the network, dense or depthwise, in floating point.
struct FloatLayer: Sendable {
    let name: String
    let role: QuantizedLayer.Role
    let inputs: Int
    let outputs: Int
    let kernel: Int
    let stride: Int
    /// `[outputs][inputs][kernel][kernel]`, of a depthwise layer `[outputs][1][kernel][kernel]`.
    var weights: [Float]
    var bias: [Float]
    let activation: KernelActivation

    init(_ layer: DenseLayer, name: String, role: QuantizedLayer.Role) {
        self.name = name
        self.role = role
        (inputs, outputs) = (layer.inputs, layer.outputs)
        (kernel, stride) = (layer.kernel, layer.stride)
        (weights, bias, activation) = (layer.weights, layer.bias, layer.activation)
    }

    init(_ layer: DepthwiseLayer, name: String) {
        self.name = name
        role = .depthwise
        (inputs, outputs) = (layer.channels, layer.channels)
        (kernel, stride) = (layer.kernel, layer.stride)
        (weights, bias, activation) = (layer.weights, layer.bias, layer.activation)
    }

    /// Weights of one output.
    var weightsPerOutput: Int { weights.count / outputs }

    /// Which input channel the weight at `index` of an output's weights is for.
    func inputChannel(ofWeight index: Int, output: Int) -> Int {
        role == .depthwise ? output : index / (kernel * kernel)
    }
}

/// What a segment does, one after the other.
enum Stage: Sendable {
    case convolution(FloatLayer)
    /// Squeeze-and-excite: a gate for each channel from the means of all.
    case gate(reduce: DenseLayer, expand: DenseLayer)

    var layer: FloatLayer? { if case .convolution(let layer) = self { layer } else { nil } }
}

/// A segment in floating point, as stages.
struct FloatSegment: Sendable {
    let name: String
    let gatedName: String
    let stages: [Stage]
    let hasResidual: Bool
}

/// The whole network as segments of stages. The head is the last segment; the classifier reads its mean.
struct FloatNetwork: Sendable {
    let segments: [FloatSegment]
    let classifier: FloatLayer
    let padding: Padding

    /// What a stage's tensor is called: as its layer, a gated one as its quantisation, and behind the last the features.
    func name(ofStage stage: Int, segment: Int) -> String {
        guard segment < segments.count else { return "features" }
        return segments[segment].stages[stage].layer?.name ?? segments[segment].gatedName
    }

    init(_ graph: Graph) {
        var segments: [FloatSegment] = []
        for (layout, segment) in zip(graph.architecture.segmentLayouts, graph.segments) {
            var stages: [Stage] = []
            if let front = segment.front, let location = layout.front?.location {
                stages.append(
                    .convolution(
                        FloatLayer(front, name: location.quantizedName, role: location == .stem ? .stem : .dense)))
            }
            if let depthwise = segment.depthwise, let location = layout.depthwise?.location {
                stages.append(.convolution(FloatLayer(depthwise, name: location.quantizedName)))
            }
            if let (reduce, expand) = segment.squeeze { stages.append(.gate(reduce: reduce, expand: expand)) }
            if let projection = segment.projection, let location = layout.projection?.location {
                stages.append(.convolution(FloatLayer(projection, name: location.quantizedName, role: .dense)))
            }
            segments.append(
                FloatSegment(
                    name: layout.name, gatedName: layout.gatedName, stages: stages, hasResidual: segment.hasResidual))
        }
        segments.append(
            FloatSegment(
                name: "head", gatedName: "", stages: [.convolution(FloatLayer(graph.head, name: "head", role: .dense))],
                hasResidual: false))
        self.segments = segments
        classifier = FloatLayer(graph.classifier, name: "classifier", role: .dense)
        padding = graph.architecture.padding
    }
}
