import EfficientNet
import Inference
import Kernels

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// How much of a tensor quantisation leaves intact.
public struct SignalToNoise: Equatable, Sendable {
    public let name: String
    private(set) var signal = 0.0
    private(set) var noise = 0.0

    public init(name: String) { self.name = name }

    /// 10 · log₁₀(Σ y² / Σ (y - ŷ)²). Units: dB; infinite without noise.
    public var decibels: Double { 10 * log10(signal / noise) }

    /// Whether there was anything to measure; not so of what stayed in floating point.
    public var isMeasured: Bool { signal > 0 && noise > 0 }

    mutating func add(_ exact: Picture, _ approximate: Picture) {
        for pixel in 0..<exact.pixels {
            for channel in 0..<exact.channels {
                let y = Double(exact.values[pixel * exact.stride + channel])
                let error = y - Double(approximate.values[pixel * approximate.stride + channel])
                signal += y * y
                noise += error * error
            }
        }
    }

    mutating func add(_ other: SignalToNoise) {
        signal += other.signal
        noise += other.noise
    }
}

extension Quantizer {
    /// The layers' signal-to-noise ratios over `images`: of each by itself, fed with fp32 activations (`alone`), and of
    /// each segment's output in the quantised network as a whole (`together`).
    public func measure(
        _ quantized: QuantizedGraph, on images: [CalibrationImage]
    ) throws(InferenceError) -> (alone: [SignalToNoise], together: [SignalToNoise]) {
        let runner = try QuantizedRunner(quantized, like: network, float: self.runner)
        var alone: [SignalToNoise] = []
        for (index, segment) in network.segments.enumerated() {
            for stage in segment.stages.indices {
                alone.append(SignalToNoise(name: network.name(ofStage: stage, segment: index)))
            }
        }
        alone.append(SignalToNoise(name: "features"))
        alone.append(SignalToNoise(name: "classifier"))
        let together = network.segments.map { SignalToNoise(name: $0.name) } + [SignalToNoise(name: "logits")]
        return try gather(images.count, initial: (alone, together)) { (result, index) throws(InferenceError) in
            try measure(images[index], runner, &result.0, &result.1)
        } combine: { result, part in
            for i in result.0.indices { result.0[i].add(part.0[i]) }
            for i in result.1.indices { result.1[i].add(part.1[i]) }
        }
    }

    private func measure(
        _ image: CalibrationImage, _ quantized: QuantizedRunner, _ alone: inout [SignalToNoise],
        _ together: inout [SignalToNoise]
    ) throws(InferenceError) {
        var exact = floatImage(image)
        var bytes = byteImage(image)
        var place = 0
        for (index, segment) in quantized.segments.enumerated() {
            let float = runner.segments[index]
            guard let steps = segment.steps else {
                bytes = quantized.runFloat(index, index == 0 ? exact : bytes)
                exact = float.run(exact)
                place += float.steps.count
                continue
            }
            let start = index == 0 ? bytes : exact.quantized(segment.input!)
            var input = start
            var scale = segment.input ?? segment.outputs[0]
            let output = float.run(exact) { stage, output in
                let result = steps[stage].run(stage == 0 ? start : input.quantized(scale), residual: start)
                scale = segment.outputs[stage]
                alone[place].add(output, result.dequantized(scale))
                input = output
                place += 1
            }
            let residual = bytes
            for step in steps { bytes = step.run(bytes, residual: residual) }
            together[index].add(output, bytes.dequantized(segment.outputs.last!))
            exact = output
        }
        let features = exact.mean()
        let headOutput = quantized.segments.last!.outputs[0]
        let ownFeatures = try exact.quantized(headOutput).quantizedMean(headOutput, to: quantized.features)
        alone[place].add(features, ownFeatures.dequantized(quantized.features))
        let logits = runner.classifier.run(features)
        func real(_ picture: Picture) -> Picture {
            var result = Picture(height: 1, width: 1, channels: logits.channels)
            for (channel, value) in quantized.classifier.real(picture).enumerated() { result.values[channel] = value }
            return result
        }
        alone[place + 1].add(logits, real(features.quantized(quantized.features)))
        together[quantized.segments.count].add(
            logits, real(try bytes.quantizedMean(headOutput, to: quantized.features)))
    }

    /// The logits of both networks for each of `images`.
    public func logits(
        _ quantized: QuantizedGraph, on images: [CalibrationImage]
    ) throws(InferenceError) -> [(float: [Float], quantized: [Float])] {
        let runner = try QuantizedRunner(quantized, like: network, float: self.runner)
        return try gather(images.count, initial: [(float: [Float], quantized: [Float])]()) {
            (result, index) throws(InferenceError) in
            let floatImage = floatImage(images[index])
            result.append(
                (self.runner.run(floatImage), try runner.logits(byteImage(images[index]), floatImage: floatImage)))
        } combine: {
            $0 += $1
        }
    }
}
