import EfficientNet
import Kernels

/// A quantised network computed plainly, layer by layer with whole tensors in between: the definition that the engine's
/// integers are tested against, bit for bit.
///
/// Segments that were kept in floating point are computed in `Double`.
/// Concurrency: immutable; shared by all threads.
public struct QuantizedReference: Sendable {
    public struct Output: Equatable, Sendable {
        /// `[features]`, as `QuantizedGraph.features` says.
        public let features: [UInt8]
        /// `[classes]`.
        public let logits: [Float]
    }

    /// `[height][width][channels]`, without gaps.
    struct Picture: Equatable, Sendable {
        var height: Int
        var width: Int
        var channels: Int
        var bytes: [UInt8]
    }

    let graph: QuantizedGraph
    private let segments: [SegmentReference?]
    private let head: LayerReference
    private let classifier: LayerReference

    /// - Throws: `InferenceError.impossibleQuantisation` where a layer's numbers do not fit into their types.
    public init(_ graph: QuantizedGraph) throws(InferenceError) {
        self.graph = graph
        let layouts = graph.architecture.segmentLayouts
        var segments: [SegmentReference?] = []
        for (layout, block) in zip(layouts, graph.segments) {
            switch block {
            case .float: segments.append(nil)
            case .integer(let segment):
                segments.append(try SegmentReference(segment, layout: layout, graph: graph))
            }
        }
        self.segments = segments
        let padding = graph.architecture.padding
        head = try LayerReference(graph.head, name: "head", input: graph.headInput, padding: padding)
        classifier = try LayerReference(graph.classifier, name: "classifier", input: graph.features, padding: padding)
    }

    /// - Parameter pixels: `[height][width][3]`, red, green and blue.
    /// - Throws: `InferenceError.impossibleQuantisation` where a mean over so many pixels does not fit into its type.
    public func run(_ pixels: [UInt8], height: Int, width: Int) throws(InferenceError) -> Output {
        let picture = try headPicture(pixels, height: height, width: width)
        let mean = try QuantizedMean(
            of: graph.head.output!, channels: picture.channels, pixels: picture.height * picture.width,
            output: graph.features, name: "features")
        let features = picture.sums().enumerated().map { mean.byte($1, channel: $0) }
        let sums = classifier.sums(Picture(height: 1, width: 1, channels: features.count, bytes: features)).values
        return Output(
            features: features,
            logits: sums.enumerated().map { classifier.requantization.real($1, output: $0) })
    }

    /// What the head's convolution makes, before its average.
    func headPicture(_ pixels: [UInt8], height: Int, width: Int) throws(InferenceError) -> Picture {
        precondition(pixels.count == height * width * 3, "\(pixels.count) bytes for \(width)×\(height) pixels")
        var picture = Picture(height: height, width: width, channels: 3, bytes: pixels)
        var real: RealPicture?  // between segments in floating point
        if case .float = graph.segments[0] { real = RealPicture(picture, graph.normalisation) }
        for (index, segment) in segments.enumerated() {
            if let segment {
                picture = try segment.run(picture)
                continue
            }
            guard case .float(let segment) = graph.segments[index] else { preconditionFailure("two kinds of segment") }
            let input = real ?? RealPicture(picture, quantization(before: index)!)
            let output = input.run(segment, padding: graph.architecture.padding)
            if let next = quantization(before: index + 1) {
                picture = output.quantized(next)
                real = nil
            } else {
                real = output
            }
        }
        return head.run(picture)
    }

    /// What the bytes that segment `index` reads stand for; nil where it reads real values. The head comes last.
    private func quantization(before index: Int) -> AffineQuantization? {
        if index == graph.segments.count { return graph.headInput }
        if case .integer(let segment) = graph.segments[index] { return segment.input }
        guard index > 0, case .integer(let previous) = graph.segments[index - 1] else { return nil }
        return previous.output
    }
}

extension QuantizedReference.Picture {
    /// Each channel's sum over the pixels.
    func sums() -> [Int] {
        var sums = [Int](repeating: 0, count: channels)
        for pixel in 0..<height * width {
            for channel in 0..<channels { sums[channel] += Int(bytes[pixel * channels + channel]) }
        }
        return sums
    }
}

/// One segment of the reference.
private struct SegmentReference: Sendable {
    private let front: LayerReference?
    private let depthwise: LayerReference?
    private let squeeze: (reduce: DenseLayer, expand: DenseLayer)?
    private let gate: QuantizedGate?
    private let depthwiseOutput: AffineQuantization?
    /// What errors call the mean that squeeze-and-excite reads.
    private let meanName: String
    private let projection: LayerReference?
    private let hasResidual: Bool

    init(_ segment: QuantizedSegment, layout: SegmentLayout, graph: QuantizedGraph) throws(InferenceError) {
        let padding = graph.architecture.padding
        hasResidual = segment.hasResidual
        squeeze = segment.squeeze
        depthwiseOutput = segment.depthwise?.output
        meanName = layout.meanName
        var input = segment.input
        func residual(isLast: Bool) -> AffineQuantization? { isLast && segment.hasResidual ? segment.input : nil }
        if let layer = segment.front, let location = layout.front?.location {
            front = try LayerReference(
                layer, name: location.quantizedName, input: input, padding: padding,
                image: location == .stem ? graph.normalisation : nil,
                residual: residual(isLast: segment.depthwise == nil && segment.projection == nil))
            input = layer.output!
        } else {
            front = nil
        }
        if let layer = segment.depthwise {
            depthwise = try LayerReference(
                layer, name: "\(layout.name).depthwise", input: input, padding: padding, isDepthwise: true,
                residual: residual(isLast: segment.projection == nil))
            input = layer.output!
        } else {
            depthwise = nil
        }
        if let gated = segment.gated {
            gate = try QuantizedGate(
                from: input, to: gated, channels: segment.depthwise!.outputs, name: layout.gatedName)
            input = gated
        } else {
            gate = nil
        }
        projection = try segment.projection.map { (layer) throws(InferenceError) in
            try LayerReference(
                layer, name: "\(layout.name).project", input: input, padding: padding, residual: residual(isLast: true))
        }
    }

    func run(_ input: QuantizedReference.Picture) throws(InferenceError) -> QuantizedReference.Picture {
        var picture = input
        if let front { picture = front.run(picture, residual: input) }
        if let depthwise { picture = depthwise.run(picture, residual: input) }
        if let gate, let squeeze, let depthwiseOutput {
            let mean = try QuantizedMean(
                of: depthwiseOutput, channels: picture.channels, pixels: picture.height * picture.width, name: meanName)
            let means = picture.sums().enumerated().map { mean.real($1, channel: $0) }
            let gates = squeeze.expand.quantizedProduct(squeeze.reduce.quantizedProduct(means))
            for i in picture.bytes.indices {
                let channel = i % picture.channels
                picture.bytes[i] = gate.byte(picture.bytes[i], gate: gates[channel], channel: channel)
            }
        }
        if let projection { picture = projection.run(picture, residual: input) }
        return picture
    }
}
