import EfficientNet
import Inference
import Kernels

/// A quantised network run over whole pictures with the kernels for floating point: fast, and layer by layer.
struct QuantizedRunner: Sendable {
    struct Segment: Sendable {
        /// Nil where the segment stayed in floating point.
        var steps: [QuantizedStep]?
        /// Of the bytes that it reads; nil where it reads real values, which only one in floating point does.
        let input: AffineQuantization?
        /// What the bytes after each step stand for. Of a segment in floating point one, or none where its output
        /// stays in real values for the next.
        var outputs: [AffineQuantization]
    }

    let segments: [Segment]
    let float: FloatRunner
    let features: AffineQuantization
    let classifier: QuantizedConvolution

    /// - Throws: `InferenceError.impossibleQuantisation`.
    init(_ graph: QuantizedGraph, like network: FloatNetwork, float: FloatRunner) throws(InferenceError) {
        var segments: [Segment] = []
        var input: AffineQuantization?
        for (index, block) in graph.segments.enumerated() {
            switch block {
            case .float:
                var output: AffineQuantization? = graph.headInput
                if index + 1 < graph.segments.count {
                    if case .integer(let next) = graph.segments[index + 1] { output = next.input } else { output = nil }
                }
                segments.append(Segment(steps: nil, input: input, outputs: output.map { [$0] } ?? []))
                input = output
            case .integer(let segment):
                var layers = [segment.front, segment.depthwise, segment.projection].compactMap { $0 }[...]
                var built = Segment(steps: [], input: segment.input, outputs: [])
                var current = segment.input
                let stages = network.segments[index].stages
                for (stage, kind) in stages.enumerated() {
                    switch kind {
                    case .gate:
                        guard case .gate(let reduce, let expand) = float.segments[index].steps[stage] else {
                            preconditionFailure("two kinds of stage")
                        }
                        built.steps!.append(
                            .gate(
                                reduce: reduce, expand: expand, from: current,
                                gate: try QuantizedGate(
                                    from: current, to: segment.gated!, channels: segment.depthwise!.outputs,
                                    name: network.name(ofStage: stage, segment: index))))
                        current = segment.gated!
                    case .convolution(let layer):
                        let quantized = layers.removeFirst()
                        let isLast = stage + 1 == stages.count
                        built.steps!.append(
                            .convolution(
                                try QuantizedConvolution(
                                    quantized, like: layer, input: current, padding: network.padding,
                                    image: layer.role == .stem ? graph.normalisation : nil,
                                    residual: isLast && segment.hasResidual ? segment.input : nil)))
                        current = quantized.output!
                    }
                    built.outputs.append(current)
                }
                segments.append(built)
                input = segment.output
            }
        }
        let headLayer = network.segments.last!.stages[0].layer!
        segments.append(
            Segment(
                steps: [
                    .convolution(
                        try QuantizedConvolution(
                            graph.head, like: headLayer, input: graph.headInput, padding: network.padding))
                ], input: graph.headInput, outputs: [graph.head.output!]))
        self.segments = segments
        self.float = float
        features = graph.features
        classifier = try QuantizedConvolution(
            graph.classifier, like: network.classifier, input: graph.features, padding: network.padding)
    }

    /// Runs a segment that stayed in floating point.
    func runFloat(_ index: Int, _ picture: Picture) -> Picture {
        let segment = segments[index]
        let input = segment.input.map { picture.dequantized($0) } ?? picture
        let output = float.segments[index].run(input)
        return segment.outputs.first.map { output.quantized($0) } ?? output
    }

    /// The logits of bytes less their zero points, `image`, whose real values are `floatImage`.
    func logits(_ image: Picture, floatImage: Picture) throws(InferenceError) -> [Float] {
        var bytes = image
        for (index, segment) in segments.enumerated() {
            guard let steps = segment.steps else {
                bytes = runFloat(index, index == 0 ? floatImage : bytes)
                continue
            }
            let residual = bytes
            for step in steps { bytes = step.run(bytes, residual: residual) }
        }
        return classifier.real(try bytes.quantizedMean(segments.last!.outputs[0], to: features))
    }
}

extension Picture {
    /// The mean's bytes, less their zero point, of bytes less theirs.
    /// - Throws: `InferenceError.impossibleQuantisation`.
    func quantizedMean(
        _ input: AffineQuantization, to output: AffineQuantization
    ) throws(InferenceError) -> Picture {
        let mean = try QuantizedMean(of: input, channels: channels, pixels: pixels, output: output, name: "features")
        var result = Picture(height: 1, width: 1, channels: channels)
        for channel in 0..<channels {
            var sum = 0
            for pixel in 0..<pixels { sum += Int(values[pixel * stride + channel]) }
            let byte = mean.byte(sum + mean.offset, channel: channel)
            result.values[channel] = Float(byte) - Float(output.zeroPoint)
        }
        return result
    }
}
