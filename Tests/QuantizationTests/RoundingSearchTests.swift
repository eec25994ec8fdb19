import Inference
import TestSupport
import Testing

@testable import Quantization

struct RoundingSearchTests {
    private let damping = 0.01

    /// Moments of strongly correlated inputs, such as neighbouring pixels are.
    private func moments(_ count: Int, _ random: inout SplitMix64) -> [Double] {
        var moments = [Double](repeating: 0, count: count * count)
        for _ in 0..<4 * count {
            let common = Double.random(in: -1...1, using: &random)
            let sample = (0..<count).map { _ in common + 0.1 * Double.random(in: -1...1, using: &random) }
            for i in 0..<count {
                for j in 0..<count { moments[i * count + j] += sample[i] * sample[j] }
            }
        }
        return moments
    }

    private func cost(_ whole: [Int], _ weights: [Float], step: Float, _ moments: [Double]) -> Double {
        let count = whole.count
        let added = damping * (0..<count).reduce(0) { $0 + moments[$1 * count + $1] } / Double(count)
        let errors = (0..<count).map { Double(whole[$0]) * Double(step) - Double(weights[$0]) }
        var sum = 0.0
        for i in 0..<count {
            sum += errors[i] * errors[i] * added
            for j in 0..<count { sum += errors[i] * errors[j] * moments[i * count + j] }
        }
        return sum
    }

    private func pairs(_ count: Int) -> [(Int, Int)] { (0..<count / 2).map { (2 * $0, 2 * $0 + 1) } }

    private func isAllowed(_ whole: [Int]) -> Bool {
        whole.allSatisfy { abs($0) <= 127 } && pairs(whole.count).allSatisfy { abs(whole[$0]) + abs(whole[$1]) <= 128 }
    }

    /// A random kernel, the whole numbers that `ErrorFeedback` makes of it, and those that the search makes of these.
    /// Steps so small that the limits bind.
    private func searched(_ count: Int, seed: UInt64) -> (
        weights: [Float], step: Float, moments: [Double], fed: [Int], found: [Int], cost: Double
    ) {
        var random = SplitMix64(seed: seed)
        let moments = moments(count, &random)
        let weights = (0..<count).map { _ in Float.random(in: -1...1, using: &random) }
        let step: Float = 1 / 70
        let feedback = ErrorFeedback(moments: moments, count: count, damping: damping, pairs: pairs(count))
        let (rounded, _) = feedback.round(
            weights.map { ErrorFeedback.Lanes(repeating: $0) }, step: ErrorFeedback.Lanes(repeating: step))
        let fed = rounded.map { Int($0[0]) }
        var found = fed
        let search = RoundingSearch(moments: moments, count: count, damping: damping, pairs: pairs(count))
        let cost = search.improve(&found, weights: weights, step: step)
        return (weights, step, moments, fed, found, cost)
    }

    @Test(arguments: 0..<20) func noChangeOfOneWeightOrTwoIsBetter(seed: UInt64) {
        let (weights, step, moments, _, found, said) = searched(9, seed: seed)
        let least = cost(found, weights, step: step, moments)
        #expect(abs(said - least) < 1e-6 * least)
        #expect(isAllowed(found))
        for i in found.indices {
            for j in i..<found.count {
                for (a, b) in [(1, 0), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1)] {
                    var other = found
                    other[i] += a
                    other[j] += b
                    if isAllowed(other) {
                        #expect(cost(other, weights, step: step, moments) > least * (1 - 1e-6), "\(i) \(a), \(j) \(b)")
                    }
                }
            }
        }
    }

    @Test(arguments: [9, 25, 64, 144]) func costsLessThanFeedbackAlone(count: Int) {
        var (fed, found) = (0.0, 0.0)
        for seed in 0..<10 as Range<UInt64> {
            let result = searched(count, seed: seed)
            #expect(isAllowed(result.fed) && isAllowed(result.found))
            let before = cost(result.fed, result.weights, step: result.step, result.moments)
            #expect(result.cost <= before * (1 + 1e-6), "seed \(seed)")
            fed += before
            found += result.cost
        }
        #expect(found < 0.95 * fed, "\(count) weights: \(found) of \(fed)")
    }
}

struct ActivationScalesTests {
    /// One channel that has seen `values` in each half of the pictures.
    private func histogram(_ values: [Float]) -> ChannelHistogram {
        var picture = Picture(height: 1, width: values.count, channels: 1)
        for (pixel, value) in values.enumerated() { picture.values[pixel * picture.stride] = value }
        var histogram = ChannelHistogram(channels: 1)
        histogram.widen(picture)
        histogram.beginCounting()
        for half in 0..<2 { histogram.count(picture, half: half) }
        return histogram
    }

    /// Of minmax too: ranges are those of the values, margins are chosen by what errs least.
    @Test func aFewFarValuesAreCutOffWhereThatErrsLess() {
        let near = (0..<200_000).map { Float($0) / 200_000 }
        let scales = ActivationScales(method: .minmax)
        func reach(_ values: [Float]) -> Float {
            let quantization = scales.quantization(histogram(values), activation: .none, gains: [1])
            return quantization.scale(of: 0) * Float(255 - quantization.zeroPoint)
        }
        #expect(reach(near) >= 0.999)
        #expect(reach(near + [3]) < 2.9)
        #expect(reach(near + [Float](repeating: 3, count: 100)) >= 2.99)
    }
}
