import EfficientNet
import Inference
import Kernels
import Parallelism

/// A picture to calibrate with, as the network gets it.
public struct CalibrationImage: Sendable {
    /// `[height][width][3]`.
    public let pixels: [UInt8]
    public let height: Int
    public let width: Int

    public init(pixels: [UInt8], height: Int, width: Int) {
        precondition(pixels.count == height * width * 3, "\(pixels.count) bytes for \(width)×\(height) pixels")
        self.pixels = pixels
        self.height = height
        self.width = width
    }
}

/// Makes a network of integers out of one in floating point.
///
/// Ranges come from a run in floating point over all pictures. Then layer after layer: weights are rounded against the
/// second moments of what the quantised layers before it really give, and the bias makes up for the difference in means.
///
/// Numerics: the same pictures in the same order give the same network, whatever the number of threads.
public struct Quantizer {
    public struct Options: Sendable {
        public var method = RangeMethod.minmax
        /// Names of segments that stay in floating point.
        public var keep: Set<String> = []
        public var damping = 0.01
        public var classifierDamping = 0.1

        public init() {}
    }

    let graph: Graph
    let normalisation: Normalisation
    let options: Options
    let network: FloatNetwork
    let runner: FloatRunner
    let scope: ParallelScope

    /// - Precondition: `options.keep` names segments, as `segmentNames(of:)` does.
    public init(_ graph: Graph, normalisation: Normalisation, options: Options, in scope: ParallelScope) {
        precondition(options.keep.isSubset(of: Self.segmentNames(of: graph.architecture)), "\(options.keep)")
        self.graph = graph
        self.normalisation = normalisation
        self.options = options
        self.scope = scope
        network = FloatNetwork(graph)
        runner = FloatRunner(network)
    }

    /// Pictures are dealt with in this many parts, whose sums are added up in order.
    static let parts = 8

    /// Calls `body` for each of `count` numbers, in parts; each part begins with `initial` and ends with the first error,
    /// and `combine` puts the parts together in order.
    /// - Throws: the first part's error that has one.
    func gather<Value: Sendable>(
        _ count: Int, initial: Value, _ body: (inout Value, Int) throws(InferenceError) -> Void,
        combine: (inout Value, Value) -> Void
    ) throws(InferenceError) -> Value {
        let parts = min(Self.parts, count)
        var values = [Value](repeating: initial, count: parts)
        var errors = [InferenceError?](repeating: nil, count: parts)
        values.withUnsafeMutableBufferPointer { values in
            errors.withUnsafeMutableBufferPointer { errors in
                nonisolated(unsafe) let (values, errors) = (values, errors)  // a task writes its own elements
                withoutActuallyEscaping(body) { body in
                    scope.forEach(parts) { part, _ in
                        do throws(InferenceError) {
                            for index in part * count / parts..<(part + 1) * count / parts {
                                try body(&values[part], index)
                            }
                        } catch { errors[part] = error }
                    }
                }
            }
        }
        if let error = errors.lazy.compactMap(\.self).first { throw error }
        var result = values[0]
        for value in values.dropFirst() { combine(&result, value) }
        return result
    }

    func floatImage(_ image: CalibrationImage) -> Picture {
        Picture(
            pixels: image.pixels, height: image.height, width: image.width,
            shift: normalisation.zeroPoints.map { -Float($0) },
            scale: normalisation.standardDeviation.map { 1 / (255 * $0) })
    }

    func byteImage(_ image: CalibrationImage) -> Picture {
        Picture(
            pixels: image.pixels, height: image.height, width: image.width,
            shift: normalisation.zeroPoints.map { -Float($0) }, scale: [1, 1, 1])
    }

    /// The histograms of every stage of every segment, and last of the features.
    /// - Throws: `InferenceError.impossibleQuantisation` for the first whose values are not finite.
    func observe(_ images: [CalibrationImage]) throws(InferenceError) -> [[ChannelHistogram]] {
        var channels = network.segments.map { segment -> [Int] in
            var last = 0
            return segment.stages.map { stage in
                if let layer = stage.layer { last = layer.outputs }
                return last
            }
        }
        channels.append([network.classifier.inputs])
        let empty = channels.map { $0.map { ChannelHistogram(channels: $0) } }
        var ranges = try gather(images.count, initial: empty) { (statistics, index) throws(InferenceError) in
            _ = runner.run(floatImage(images[index])) { statistics[$0][$1].widen($2) }
        } combine: { result, part in
            for segment in result.indices {
                for stage in result[segment].indices { result[segment][stage].widen(part[segment][stage]) }
            }
        }
        for segment in ranges.indices {
            for stage in ranges[segment].indices {
                guard ranges[segment][stage].isFinite else {
                    throw .impossibleQuantisation(
                        layer: network.name(ofStage: stage, segment: segment),
                        reason: "its values in floating point are infinite or no numbers")
                }
                ranges[segment][stage].beginCounting()
            }
        }
        return try gather(images.count, initial: ranges) { (statistics, index) throws(InferenceError) in
            _ = runner.run(floatImage(images[index])) { statistics[$0][$1].count($2, half: index % 2) }
        } combine: { result, part in
            for segment in result.indices {
                for stage in result[segment].indices { result[segment][stage].add(part[segment][stage]) }
            }
        }
    }

    /// What the bytes after each stage of each segment stand for, and last of the features.
    func scales(_ histograms: [[ChannelHistogram]]) -> [[AffineQuantization]] {
        let chooser = ActivationScales(method: options.method)
        var tensors: [(segment: Int, histogram: ChannelHistogram, activation: KernelActivation, reader: FloatLayer?)] =
            []
        for (index, segment) in network.segments.enumerated() {
            for (stage, histogram) in histograms[index].enumerated() {
                let next =
                    stage + 1 < segment.stages.count
                    ? segment.stages[stage + 1].layer
                    : index + 1 < network.segments.count
                        ? network.segments[index + 1].stages[0].layer : network.classifier
                // A gate's output has the range of what it lets through.
                let activation = segment.stages[stage].layer?.activation ?? .silu
                tensors.append((index, histogram, activation, next))
            }
        }
        let headActivation = network.segments.last!.stages[0].layer!.activation
        tensors.append((network.segments.count, histograms.last![0], headActivation, network.classifier))
        var chosen = [AffineQuantization?](repeating: nil, count: tensors.count)
        chosen.withUnsafeMutableBufferPointer { chosen in
            nonisolated(unsafe) let chosen = chosen  // a task writes its own element
            scope.forEach(tensors.count) { index, _ in
                let tensor = tensors[index]
                chosen[index] = chooser.quantization(
                    tensor.histogram, activation: tensor.activation,
                    gains: tensor.reader?.inputGains ?? [Double](repeating: 1, count: tensor.histogram.channels))
            }
        }
        var result = [[AffineQuantization]](repeating: [], count: histograms.count)
        for (tensor, quantization) in zip(tensors, chosen) { result[tensor.segment].append(quantization!) }
        return result
    }
}

extension FloatLayer {
    /// How much of a squared error in each input channel comes out: the sum of its weights' squares.
    fileprivate var inputGains: [Double] {
        var gains = [Double](repeating: 0, count: inputs)
        for output in 0..<outputs {
            for i in 0..<weightsPerOutput {
                let weight = Double(weights[output * weightsPerOutput + i])
                gains[inputChannel(ofWeight: i, output: output)] += weight * weight
            }
        }
        return gains
    }
}
