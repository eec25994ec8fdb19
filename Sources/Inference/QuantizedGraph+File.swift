import Checkpoints
import EfficientNet
import Tensors

// What the tensors of an int8 model are called and what they hold is written down in docs/int8.md.

extension QuantizedGraph {
    /// The network of an int8 model's tensors. The number of classes comes from the classifier's weight.
    ///
    /// - Throws: `InferenceError.quantisedTensor` for the first tensor that is missing, superfluous, misshapen or of
    ///   another type, or whose values break what `QuantizedLayer` promises.
    public init(
        architecture: Architecture, normalisation: Normalisation, tensors: [String: StoredTensor]
    ) throws(InferenceError) {
        var reader = QuantizedTensorReader(tensors)
        var architecture = architecture
        architecture.classCount = try reader.classCount()
        try reader.expect("input.mean", normalisation.mean)
        try reader.expect("input.std", normalisation.standardDeviation)
        let layouts = architecture.segmentLayouts
        var layers: [Layer.Location: Layer] = [:]
        for layer in architecture.layers { layers[layer.location] = layer }
        let activation = architecture.kernelActivation

        var segments: [Block] = []
        // Of the picture, whose bytes are no activation; the stem's weights know what they are worth.
        var input = AffineQuantization(scales: [1 / 255], zeroPoint: 0)
        for (index, layout) in layouts.enumerated() {
            if try reader.isFloat(layout) {
                segments.append(.float(try reader.floatSegment(layout, activation)))
                let isLast = index + 1 == layouts.count
                let isRead = try isLast ? true : !reader.isFloat(layouts[index + 1])
                if isRead {
                    input = try reader.quantization(layout.name, channels: layout.outputChannels)
                }
            } else {
                let segment = try reader.segment(layout, input: input, activation)
                input = segment.output
                segments.append(.integer(segment))
            }
        }
        let head = try reader.layer(layers[.head]!, role: .dense, activation)
        let features = try reader.quantization("features", channels: head.outputs)
        let classifier = try reader.layer(layers[.classifier]!, role: .dense, .none, hasOutput: false)
        try reader.finish()
        self.init(
            architecture: architecture, normalisation: normalisation, segments: segments, headInput: input, head: head,
            features: features, classifier: classifier)
    }

    /// Everything that an int8 model's file holds, by name.
    public func tensors() -> [String: StoredTensor] {
        var writer = QuantizedTensorWriter()
        writer.floats("input.mean", normalisation.mean, [3])
        writer.floats("input.std", normalisation.standardDeviation, [3])
        var layers: [Layer.Location: Layer] = [:]
        for layer in architecture.layers { layers[layer.location] = layer }
        let layouts = architecture.segmentLayouts
        for (index, (layout, block)) in zip(layouts, segments).enumerated() {
            switch block {
            case .integer(let segment): writer.segment(layout, segment)
            case .float(let segment):
                writer.floatSegment(layout, segment)
                if index + 1 == segments.count {
                    writer.quantization(layout.name, headInput)
                } else if case .integer(let next) = segments[index + 1] {
                    writer.quantization(layout.name, next.input)
                }
            }
        }
        writer.layer(layers[.head]!, head)
        writer.quantization("features", features)
        writer.layer(layers[.classifier]!, classifier)
        return writer.tensors
    }
}

extension StoredModel {
    /// The network of an int8 model.
    /// - Throws: `CheckpointError` where the file or model.json is wrong, `InferenceError.quantisedTensor` where the
    ///   tensors are.
    /// - Precondition: `description.precision` is `int8`.
    /// - Parameter weights: the weights' file; nil maps it.
    public func quantizedGraph(_ weights: MappedFile? = nil) throws -> QuantizedGraph {
        precondition(description.precision == .int8, "\(name) is in \(description.precision)")
        let file = try weights.map { try Safetensors(named: $0) } ?? Safetensors(path: weightsPath)
        var architecture = try Architecture(named: description.architecture, dialect: description.dialect)
        if let padding = description.padding { architecture.padding = padding }
        return try QuantizedGraph(
            architecture: architecture,
            normalisation: Normalisation(
                mean: description.mean, standardDeviation: description.standardDeviation), tensors: file.tensors)
    }
}

extension SegmentLayout {
    /// Channels of what the segment writes.
    package var outputChannels: Int { (projection ?? depthwise ?? front)!.outputChannels }
}
