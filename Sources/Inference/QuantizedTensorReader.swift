import EfficientNet
import Kernels
import Tensors

extension Architecture {
    /// The non-linearity as kernels know it.
    package var kernelActivation: KernelActivation {
        switch activation {
        case .silu: .silu
        case .relu6: .relu6
        }
    }
}

/// Takes layers out of an int8 model's tensors, each checked, and notices those that nobody takes.
struct QuantizedTensorReader {
    private let tensors: [String: StoredTensor]
    private var taken: Set<String> = []

    init(_ tensors: [String: StoredTensor]) { self.tensors = tensors }

    private mutating func take(
        _ name: String, _ type: ElementType, shapes: [[Int]]
    ) throws(InferenceError) -> StoredTensor {
        guard let tensor = tensors[name] else { throw .quantisedTensor(name, reason: "is missing") }
        guard tensor.elementType == type else {
            throw .quantisedTensor(name, reason: "is of type \(tensor.elementType.rawValue), not \(type.rawValue)")
        }
        guard shapes.contains(tensor.shape.dimensions) else {
            // Not as a `Shape`: dimensions that follow from a file need not be one.
            let expected = shapes.map { "\($0)" }.joined(separator: " or ")
            throw .quantisedTensor(name, reason: "has the shape \(tensor.shape), not \(expected)")
        }
        taken.insert(name)
        return tensor
    }

    private mutating func floats(_ name: String, shapes: [[Int]]) throws(InferenceError) -> [Float] {
        let values = try take(name, .float32, shapes: shapes).floats
        guard values.allSatisfy(\.isFinite) else {
            throw .quantisedTensor(name, reason: "has values that are not finite")
        }
        return values
    }

    func classCount() throws(InferenceError) -> Int {
        let name = Layer.Location.classifier.quantizedName + ".weight"
        guard let weight = tensors[name] else { throw .quantisedTensor(name, reason: "is missing") }
        guard weight.shape.rank == 2, weight.shape.elementCount > 0 else {
            throw .quantisedTensor(name, reason: "has the shape \(weight.shape), not [classes, features]")
        }
        return weight.shape[0]
    }

    /// Takes three values that the weights depend on, and that the model's description must therefore repeat.
    mutating func expect(_ name: String, _ values: [Float]) throws(InferenceError) {
        let found = try floats(name, shapes: [[3]])
        guard found == values else {
            throw .quantisedTensor(name, reason: "is \(found), but model.json says \(values)")
        }
    }

    /// Whether the segment was kept in floating point.
    func isFloat(_ layout: SegmentLayout) throws(InferenceError) -> Bool {
        let name = (layout.front ?? layout.depthwise)!.location.quantizedName + ".weight"
        guard let weight = tensors[name] else { throw .quantisedTensor(name, reason: "is missing") }
        return weight.elementType == .float32
    }

    mutating func quantization(_ name: String, channels: Int) throws(InferenceError) -> AffineQuantization {
        let quantization = AffineQuantization(
            scales: try floats("\(name).output_scale", shapes: [[1], [channels]]),
            zeroPoint: try take("\(name).output_zero_point", .uint8, shapes: [[1]]).bytes[0])
        try quantization.check(name: name)
        return quantization
    }

    mutating func layer(
        _ layer: Layer, role: QuantizedLayer.Role, _ activation: KernelActivation, hasOutput: Bool = true
    ) throws(InferenceError) -> QuantizedLayer {
        let name = layer.location.quantizedName
        let quantized = QuantizedLayer(
            inputs: layer.inputChannels, outputs: layer.outputChannels, kernel: layer.kernel, stride: layer.stride,
            weights: try take("\(name).weight", .int8, shapes: [layer.weightShape]).signedBytes,
            scales: try floats("\(name).scale", shapes: [[layer.outputChannels]]),
            bias: try floats("\(name).bias", shapes: [[layer.outputChannels]]), activation: activation,
            output: hasOutput ? try quantization(name, channels: layer.outputChannels) : nil)
        try quantized.check(name: name, role: role)
        return quantized
    }

    private mutating func floatLayer(
        _ layer: Layer, _ activation: KernelActivation
    ) throws(InferenceError) -> DenseLayer {
        let name = layer.location.quantizedName
        return DenseLayer(
            inputs: layer.isDepthwise ? 1 : layer.inputChannels, outputs: layer.outputChannels, kernel: layer.kernel,
            stride: layer.stride, weights: try floats("\(name).weight", shapes: [layer.weightShape]),
            bias: try floats("\(name).bias", shapes: [[layer.outputChannels]]), activation: activation)
    }

    private mutating func squeeze(
        _ layout: SegmentLayout, _ activation: KernelActivation
    ) throws(InferenceError) -> (reduce: DenseLayer, expand: DenseLayer)? {
        guard let reduce = layout.squeezeReduce, let expand = layout.squeezeExpand else { return nil }
        return (try floatLayer(reduce, activation), try floatLayer(expand, .sigmoid))
    }

    mutating func segment(
        _ layout: SegmentLayout, input: AffineQuantization, _ activation: KernelActivation
    ) throws(InferenceError) -> QuantizedSegment {
        var segment = QuantizedSegment(input: input)
        segment.hasResidual = layout.hasResidual
        if let front = layout.front {
            segment.front = try layer(front, role: front.location == .stem ? .stem : .dense, activation)
        }
        if let depthwise = layout.depthwise {
            segment.depthwise = try layer(depthwise, role: .depthwise, activation)
        }
        segment.squeeze = try squeeze(layout, activation)
        if segment.squeeze != nil {
            segment.gated = try quantization(layout.gatedName, channels: layout.depthwise!.outputChannels)
        }
        if let projection = layout.projection { segment.projection = try layer(projection, role: .dense, .none) }
        return segment
    }

    mutating func floatSegment(
        _ layout: SegmentLayout, _ activation: KernelActivation
    ) throws(InferenceError) -> Segment {
        var segment = Segment()
        segment.hasResidual = layout.hasResidual
        if let front = layout.front { segment.front = try floatLayer(front, activation) }
        if let depthwise = layout.depthwise {
            let layer = try floatLayer(depthwise, activation)
            segment.depthwise = DepthwiseLayer(
                channels: layer.outputs, kernel: layer.kernel, stride: layer.stride, weights: layer.weights,
                bias: layer.bias, activation: activation)
        }
        segment.squeeze = try squeeze(layout, activation)
        if let projection = layout.projection { segment.projection = try floatLayer(projection, .none) }
        return segment
    }

    /// - Throws: `InferenceError.quantisedTensor` for the first tensor, by name, that belongs to no layer.
    func finish() throws(InferenceError) {
        if let name = tensors.keys.filter({ !taken.contains($0) }).min() {
            throw .quantisedTensor(name, reason: "belongs to no layer")
        }
    }
}

/// Gathers an int8 model's tensors under their names.
struct QuantizedTensorWriter {
    private(set) var tensors: [String: StoredTensor] = [:]

    mutating func floats(_ name: String, _ values: [Float], _ shape: [Int]) {
        tensors[name] = StoredTensor(values, shape: Shape(shape))
    }

    mutating func quantization(_ name: String, _ quantization: AffineQuantization) {
        floats("\(name).output_scale", quantization.scales, [quantization.scales.count])
        tensors["\(name).output_zero_point"] = StoredTensor(bytes: [quantization.zeroPoint], shape: [1])
    }

    mutating func layer(_ layer: Layer, _ quantized: QuantizedLayer) {
        let name = layer.location.quantizedName
        tensors["\(name).weight"] = StoredTensor(signedBytes: quantized.weights, shape: Shape(layer.weightShape))
        floats("\(name).scale", quantized.scales, [quantized.outputs])
        floats("\(name).bias", quantized.bias, [quantized.outputs])
        if let output = quantized.output { quantization(name, output) }
    }

    private mutating func floatLayer(_ layer: Layer?, weights: [Float]?, bias: [Float]?) {
        guard let layer, let weights, let bias else { return }
        let name = layer.location.quantizedName
        floats("\(name).weight", weights, layer.weightShape)
        floats("\(name).bias", bias, [bias.count])
    }

    private mutating func squeeze(_ layout: SegmentLayout, _ squeeze: (reduce: DenseLayer, expand: DenseLayer)?) {
        floatLayer(layout.squeezeReduce, weights: squeeze?.reduce.weights, bias: squeeze?.reduce.bias)
        floatLayer(layout.squeezeExpand, weights: squeeze?.expand.weights, bias: squeeze?.expand.bias)
    }

    mutating func segment(_ layout: SegmentLayout, _ segment: QuantizedSegment) {
        if let layer = layout.front, let front = segment.front { self.layer(layer, front) }
        if let layer = layout.depthwise, let depthwise = segment.depthwise { self.layer(layer, depthwise) }
        squeeze(layout, segment.squeeze)
        if let gated = segment.gated { quantization(layout.gatedName, gated) }
        if let layer = layout.projection, let projection = segment.projection { self.layer(layer, projection) }
    }

    mutating func floatSegment(_ layout: SegmentLayout, _ segment: Segment) {
        floatLayer(layout.front, weights: segment.front?.weights, bias: segment.front?.bias)
        floatLayer(layout.depthwise, weights: segment.depthwise?.weights, bias: segment.depthwise?.bias)
        squeeze(layout, segment.squeeze)
        floatLayer(layout.projection, weights: segment.projection?.weights, bias: segment.projection?.bias)
    }
}
