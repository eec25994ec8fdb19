import EfficientNet
import Inference
import Kernels
import Parallelism

extension Quantizer {
    /// What the two networks have come to, picture by picture, before the segment that is next.
    private struct State {
        /// In floating point.
        var float: [Picture]
        /// Of the network with the segments so far quantised: bytes less their zero point, or real values where `isReal`.
        var quantized: [Picture]
        /// What the bytes stand for.
        var input: AffineQuantization
        var isReal = false
    }

    /// Quantises the whole network. `progress` hears of each layer before it is begun.
    public func run(
        _ images: [CalibrationImage], progress: (_ layer: String) throws -> Void = { _ in }
    ) throws -> QuantizedGraph {
        precondition(!images.isEmpty, "no picture to calibrate with")
        try progress("ranges")
        let scales = scales(try observe(images))
        var state = State(
            float: images.map(floatImage), quantized: images.map(byteImage),
            input: AffineQuantization(scales: [1 / 255], zeroPoint: 0))
        var blocks: [QuantizedGraph.Block] = []
        var head: QuantizedLayer?
        var headInput = state.input
        for (index, segment) in network.segments.enumerated() {
            let isHead = index + 1 == network.segments.count
            if isHead { headInput = state.input }
            if options.keep.contains(segment.name) {
                let next = network.segments[index + 1].name
                keep(index, output: options.keep.contains(next) ? nil : scales[index].last!, &state)
                blocks.append(.float(graph.segments[index]))
                continue
            }
            let (layers, steps) = try quantize(index, scales: scales[index], state, progress: progress)
            if isHead {
                head = layers.last!
            } else {
                blocks.append(.integer(assemble(index, layers, scales: scales[index], input: state.input)))
            }
            advance(index, steps, &state)
            state.input = scales[index].last!
        }
        try progress("classifier")
        let features = scales.last![0]
        let classifier = try quantizeClassifier(state, features: features)
        return QuantizedGraph(
            architecture: graph.architecture, normalisation: normalisation, segments: blocks, headInput: headInput,
            head: head!, features: features, classifier: classifier)
    }

    /// The layers of one segment, one after the other, and the steps that run them.
    private func quantize(
        _ index: Int, scales: [AffineQuantization], _ state: State, progress: (String) throws -> Void
    ) throws -> (layers: [QuantizedLayer], steps: [QuantizedStep]) {
        let segment = network.segments[index]
        let isImage = index == 0
        var layers: [QuantizedLayer] = []
        var steps: [QuantizedStep] = []
        var input = state.input
        for (stage, kind) in segment.stages.enumerated() {
            let isLast = stage + 1 == segment.stages.count
            switch kind {
            case .gate:
                guard case .gate(let reduce, let expand) = runner.segments[index].steps[stage] else {
                    preconditionFailure("two kinds of stage")
                }
                let gate = try QuantizedGate(
                    from: input, to: scales[stage], channels: scales[stage].scales.count,
                    name: network.name(ofStage: stage, segment: index))
                steps.append(.gate(reduce: reduce, expand: expand, from: input, gate: gate))
            case .convolution(let layer):
                try progress(layer.name)
                let readsImage = isImage && stage == 0
                let moments = try moments(layer, index, stage, steps, state)
                let quantized = try LayerQuantizer(
                    layer: layer, moments: moments,
                    inputScales: readsImage
                        ? normalisation.standardDeviation.map { 1 / (255 * $0) }
                        : (0..<layer.inputs).map { input.scale(of: $0) },
                    output: scales[stage], damping: options.damping
                ).run(in: scope)
                layers.append(quantized)
                steps.append(
                    .convolution(
                        try QuantizedConvolution(
                            quantized, like: layer, input: input, padding: network.padding,
                            image: readsImage ? normalisation : nil,
                            residual: isLast && segment.hasResidual ? state.input : nil)))
            }
            input = scales[stage]
        }
        return (layers, steps)
    }

    /// Of what stage `stage` of segment `index` reads.
    private func moments(
        _ layer: FloatLayer, _ index: Int, _ stage: Int, _ steps: [QuantizedStep], _ state: State
    ) throws(InferenceError) -> PatchMoments {
        let empty = PatchMoments(
            layer, padding: network.padding, outside: layer.role == .stem ? normalisation.outside : nil)
        return try gather(state.float.count, initial: empty) { (moments, image) throws(InferenceError) in
            let float = runner.segments[index].run(state.float[image], stages: stage)
            var picture = state.quantized[image]
            for step in steps { picture = step.run(picture, residual: state.quantized[image]) }
            moments.add(picture, float: float)
        } combine: {
            $0.add($1)
        }
    }

    /// Runs both networks through segment `index`.
    private func advance(_ index: Int, _ steps: [QuantizedStep], _ state: inout State) {
        eachPicture(&state) { float, quantized in
            let residual = quantized
            for step in steps { quantized = step.run(quantized, residual: residual) }
            float = runner.segments[index].run(float)
        }
    }

    /// Runs both networks through a segment that stays in floating point, as does its output where `output` is nil.
    private func keep(_ index: Int, output: AffineQuantization?, _ state: inout State) {
        let (input, isReal) = (state.input, state.isReal)
        eachPicture(&state) { float, quantized in
            let real = index == 0 ? float : isReal ? quantized : quantized.dequantized(input)
            quantized = runner.segments[index].run(real)
            if let output { quantized = quantized.quantized(output) }
            float = runner.segments[index].run(float)
        }
        state.isReal = output == nil
        if let output { state.input = output }
    }

    private func eachPicture(_ state: inout State, _ body: (inout Picture, inout Picture) -> Void) {
        let count = state.float.count
        state.float.withUnsafeMutableBufferPointer { float in
            state.quantized.withUnsafeMutableBufferPointer { quantized in
                nonisolated(unsafe) let (float, quantized) = (float, quantized)  // a task writes its own pictures
                withoutActuallyEscaping(body) { body in
                    scope.forEach(count) { image, _ in body(&float[image], &quantized[image]) }
                }
            }
        }
    }

    private func assemble(
        _ index: Int, _ layers: [QuantizedLayer], scales: [AffineQuantization], input: AffineQuantization
    ) -> QuantizedSegment {
        let original = graph.segments[index]
        var rest = layers[...]
        var segment = QuantizedSegment(input: input)
        segment.hasResidual = original.hasResidual
        if original.front != nil { segment.front = rest.removeFirst() }
        if original.depthwise != nil { segment.depthwise = rest.removeFirst() }
        segment.squeeze = original.squeeze
        if original.squeeze != nil {
            segment.gated = scales[network.segments[index].stages.firstIndex { $0.layer == nil }!]
        }
        if original.projection != nil { segment.projection = rest.removeFirst() }
        return segment
    }

    private func quantizeClassifier(
        _ state: State, features: AffineQuantization
    ) throws(InferenceError) -> QuantizedLayer {
        let layer = network.classifier
        var moments = PatchMoments(layer, padding: network.padding)
        for (float, quantized) in zip(state.float, state.quantized) {
            moments.add(try quantized.quantizedMean(state.input, to: features), float: float.mean())
        }
        return try LayerQuantizer(
            layer: layer, moments: moments, inputScales: (0..<layer.inputs).map { features.scale(of: $0) }, output: nil,
            damping: options.classifierDamping
        ).run(in: scope)
    }
}
