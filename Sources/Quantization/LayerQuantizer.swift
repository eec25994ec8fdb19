import Inference
import Kernels
import Parallelism

/// Makes a layer of whole numbers out of one in floating point.
struct LayerQuantizer {
    let layer: FloatLayer
    let moments: PatchMoments
    /// What a step of each input channel is worth.
    let inputScales: [Float]
    /// What the output's bytes will stand for.
    let output: AffineQuantization?
    let damping: Double

    /// Steps that are tried, as shares of the one that cuts nothing off.
    private static let shares: [Float] = [
        1, 0.97, 0.94, 0.91, 0.88, 0.85, 0.82, 0.78, 0.74, 0.7, 0.66, 0.62, 0.58, 0.54, 0.5, 0.46,
    ]

    /// In units of the input's steps.
    private var stepWeights: [Float] {
        var weights = layer.weights
        let perOutput = layer.weightsPerOutput
        for output in 0..<layer.outputs {
            for i in 0..<perOutput {
                weights[output * perOutput + i] *= inputScales[layer.inputChannel(ofWeight: i, output: output)]
            }
        }
        return weights
    }

    /// - Throws: `InferenceError.impossibleQuantisation` for the first output whose weights or activations are so large
    ///   or so small that no step serves.
    func run(in scope: ParallelScope) throws(InferenceError) -> QuantizedLayer {
        let perOutput = layer.weightsPerOutput
        let weights = stepWeights
        var pairs: [(Int, Int)] = []
        QuantizedLayer.forEachPair(
            role: layer.role, inputs: layer.role == .depthwise ? 1 : layer.inputs, kernel: layer.kernel
        ) { pairs.append(($0, $1)) }
        let steps = (0..<layer.outputs).map { output in
            fullStep(Array(weights[output * perOutput..<(output + 1) * perOutput]), pairs, bias: layer.bias[output])
        }
        var whole = [Int8](repeating: 0, count: weights.count)
        var chosen = [Float](repeating: 0, count: layer.outputs)
        let isDepthwise = layer.role == .depthwise
        let shared =
            isDepthwise ? nil : Rounding(moments.covariance(group: 0), count: perOutput, damping: damping, pairs: pairs)
        let lanes = ErrorFeedback.Lanes.scalarCount
        let tasks = isDepthwise ? layer.outputs : (layer.outputs + lanes - 1) / lanes
        whole.withUnsafeMutableBufferPointer { whole in
            chosen.withUnsafeMutableBufferPointer { chosen in
                nonisolated(unsafe) let (whole, chosen) = (whole, chosen)  // tasks write outputs of their own
                scope.forEach(tasks) { task, _ in
                    if let shared {
                        let outputs = task * lanes..<min(layer.outputs, (task + 1) * lanes)
                        Self.roundDense(weights, steps, outputs, shared, into: whole, chosen)
                    } else {
                        let rounding = Rounding(
                            moments.covariance(group: task), count: perOutput, damping: damping, pairs: pairs)
                        Self.roundDepthwise(weights, steps[task], task, rounding, into: whole, chosen)
                    }
                }
            }
        }
        chosen = correctedSteps(whole, chosen)
        let bias = correctedBias(whole, chosen)
        for output in 0..<layer.outputs where !(chosen[output].isNormal && bias[output].isFinite) {
            throw .impossibleQuantisation(
                layer: layer.name,
                reason: "output \(output): no step of the weights serves, for a bias of \(bias[output])")
        }
        return QuantizedLayer(
            inputs: layer.inputs, outputs: layer.outputs, kernel: layer.kernel, stride: layer.stride, weights: whole,
            scales: chosen, bias: bias, activation: layer.activation, output: output)
    }

    /// The step with which no weight is cut off, and with which the bias still fits into the sum.
    private func fullStep(_ weights: [Float], _ pairs: [(Int, Int)], bias: Float) -> Float {
        var step = weights.reduce(0) { max($0, abs($1)) } / 127
        for (a, b) in pairs { step = max(step, (abs(weights[a]) + abs(weights[b])) / Float(QuantizedLayer.pairLimit)) }
        return max(step, (abs(bias) + (output?.scales.max() ?? 1) * 255) * 0x1p-27)
    }

    /// How weights become whole numbers: one after the other, and then together.
    private struct Rounding: Sendable {
        let feedback: ErrorFeedback
        /// Nil of too many weights.
        let search: RoundingSearch?

        init(_ moments: [Double], count: Int, damping: Double, pairs: [(Int, Int)]) {
            feedback = ErrorFeedback(moments: moments, count: count, damping: damping, pairs: pairs)
            search =
                count <= RoundingSearch.mostWeights
                ? RoundingSearch(moments: moments, count: count, damping: damping, pairs: pairs) : nil
        }
    }

    /// 16 outputs at once, for each the best share.
    private static func roundDense(
        _ weights: [Float], _ steps: [Float], _ outputs: Range<Int>, _ rounding: Rounding,
        into whole: UnsafeMutableBufferPointer<Int8>, _ chosen: UnsafeMutableBufferPointer<Float>
    ) {
        let feedback = rounding.feedback
        let count = feedback.count
        var lanes = [ErrorFeedback.Lanes](repeating: .zero, count: count)
        var step = ErrorFeedback.Lanes(repeating: 1)
        for (lane, output) in outputs.enumerated() {
            step[lane] = steps[output]
            for i in 0..<count { lanes[i][lane] = weights[output * count + i] }
        }
        var best = ErrorFeedback.Lanes(repeating: .infinity)
        for share in shares {
            let (rounded, cost) = feedback.round(lanes, step: step * share)
            for (lane, output) in outputs.enumerated() where cost[lane] < best[lane] {
                best[lane] = cost[lane]
                chosen[output] = step[lane] * share
                for i in 0..<count { whole[output * count + i] = Int8(rounded[i][lane]) }
            }
        }
        guard let search = rounding.search else { return }
        for output in outputs where chosen[output] > 0 {
            let range = output * count..<(output + 1) * count
            var found = whole[range].map { Int($0) }
            _ = search.improve(&found, weights: Array(weights[range]), step: chosen[output])
            for i in 0..<count { whole[range.lowerBound + i] = Int8(found[i]) }
        }
    }

    /// One output with all shares at once. Its step stays 0 where none has a finite cost, as in `roundDense`.
    private static func roundDepthwise(
        _ weights: [Float], _ step: Float, _ output: Int, _ rounding: Rounding,
        into whole: UnsafeMutableBufferPointer<Int8>, _ chosen: UnsafeMutableBufferPointer<Float>
    ) {
        let count = rounding.feedback.count
        let own = Array(weights[output * count..<(output + 1) * count])
        var steps = ErrorFeedback.Lanes(repeating: step)
        for (lane, share) in shares.enumerated() { steps[lane] *= share }
        let (rounded, cost) = rounding.feedback.round(own.map { ErrorFeedback.Lanes(repeating: $0) }, step: steps)
        let search = rounding.search!  // no kernel has that many taps
        var least = Double.infinity
        for lane in shares.indices where cost[lane] < .infinity {
            var found = (0..<count).map { Int(rounded[$0][lane]) }
            let cost = search.improve(&found, weights: own, step: steps[lane])
            guard cost < least else { continue }
            least = cost
            chosen[output] = steps[lane]
            for i in 0..<count { whole[output * count + i] = Int8(found[i]) }
        }
    }

    /// An output that hardly moved over the calibration's pictures says little of its slope.
    private static let slopes = 0.8...1.25

    /// The steps with which each output follows the one in floating point with a slope of 1.
    ///
    /// What the layers before are wrong by is noise ahead of their activations, which flattens them: channels far above
    /// their threshold come out lower, those below it higher. Each layer takes off a little, and at the end the network is
    /// unsure of everything. The means are the bias's to restore, the slopes are the steps'.
    private func correctedSteps(_ whole: [Int8], _ steps: [Float]) -> [Float] {
        let perOutput = layer.weightsPerOutput
        return (0..<layer.outputs).map { output in
            let weights = output * perOutput..<(output + 1) * perOutput
            let step = Double(steps[output])
            let (variance, covariance) = moments.comparison(
                group: layer.role == .depthwise ? output : 0, float: layer.weights[weights].map { Double($0) },
                quantized: whole[weights].map { Double($0) * step })
            guard variance > 0, covariance > 0 else { return steps[output] }
            return Float(step / max(Self.slopes.lowerBound, min(Self.slopes.upperBound, covariance / variance)))
        }
    }

    /// The bias with which the output's mean over the calibration's pictures is the one in floating point.
    private func correctedBias(_ whole: [Int8], _ steps: [Float]) -> [Float] {
        let perOutput = layer.weightsPerOutput
        return (0..<layer.outputs).map { output in
            let group = layer.role == .depthwise ? output : 0
            let mean = moments.mean(group: group)
            let floatMean = moments.floatMean(group: group)
            var difference = 0.0
            for i in 0..<perOutput {
                difference += Double(layer.weights[output * perOutput + i]) * floatMean[i]
                difference -= Double(whole[output * perOutput + i]) * Double(steps[output]) * mean[i]
            }
            return Float(Double(layer.bias[output]) + difference)
        }
    }
}
