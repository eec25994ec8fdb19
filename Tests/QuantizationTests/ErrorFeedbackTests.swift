import TestSupport
import Testing

@testable import Quantization

struct ErrorFeedbackTests {
    private typealias Lanes = ErrorFeedback.Lanes

    /// Moments of strongly correlated inputs.
    private func moments(_ count: Int, seed: UInt64) -> [Double] {
        var random = SplitMix64(seed: seed)
        var moments = [Double](repeating: 0, count: count * count)
        for _ in 0..<4 * count {
            let common = Double.random(in: -1...1, using: &random)
            let sample = (0..<count).map { _ in common + 0.3 * Double.random(in: -1...1, using: &random) }
            for i in 0..<count {
                for j in 0..<count { moments[i * count + j] += sample[i] * sample[j] }
            }
        }
        return moments
    }

    private func cost(_ errors: [Double], _ moments: [Double]) -> Double {
        var sum = 0.0
        for i in errors.indices {
            for j in errors.indices { sum += errors[i] * errors[j] * moments[i * errors.count + j] }
        }
        return sum
    }

    @Test(arguments: [5, 9, 27, 64]) func errsLessThanRoundingToTheNearest(count: Int) {
        var random = SplitMix64(seed: 3)
        let moments = moments(count, seed: UInt64(count))
        let feedback = ErrorFeedback(moments: moments, count: count, damping: 1e-6, pairs: [])
        let weights = (0..<count).map { _ in
            var lanes = Lanes.zero
            for lane in 0..<Lanes.scalarCount { lanes[lane] = Float.random(in: -1...1, using: &random) }
            return lanes
        }
        let step: Float = 1 / 20
        let (whole, cost) = feedback.round(weights, step: Lanes(repeating: step))
        var (fed, nearest) = (0.0, 0.0)
        for lane in 0..<Lanes.scalarCount {
            let exact = self.cost((0..<count).map { Double(whole[$0][lane] * step - weights[$0][lane]) }, moments)
            // What it says the error costs is what it costs.
            #expect(abs(Double(cost[lane]) - exact) < 1e-2 * exact)
            fed += exact
            let rounded = weights.map { ($0[lane] / step).rounded(.toNearestOrEven) * step - $0[lane] }
            nearest += self.cost(rounded.map(Double.init), moments)
        }
        #expect(fed < 0.7 * nearest)
    }

    @Test func roundsToTheNearestWhereInputsAreIndependent() {
        let count = 8
        var moments = [Double](repeating: 0, count: count * count)
        for i in 0..<count { moments[i * count + i] = 1 + Double(i) }
        let feedback = ErrorFeedback(moments: moments, count: count, damping: 0, pairs: [])
        let weights = (0..<count).map { Float($0) * 0.37 - 1 }
        let (whole, _) = feedback.round(weights.map { Lanes(repeating: $0) }, step: Lanes(repeating: 0.1))
        for i in 0..<count { #expect(whole[i][3] == (weights[i] / 0.1).rounded(.toNearestOrEven)) }
    }

    @Test(arguments: 0..<20) func neverBreaksALimit(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let count = 12
        let pairs = (0..<6).map { (2 * $0, 2 * $0 + 1) }
        let feedback = ErrorFeedback(moments: moments(count, seed: seed), count: count, damping: 0.01, pairs: pairs)
        let weights = (0..<count).map { _ in
            var lanes = Lanes.zero
            for lane in 0..<Lanes.scalarCount { lanes[lane] = Float.random(in: -1...1, using: &random) }
            return lanes
        }
        // Steps so small that nearly everything is cut off.
        let (whole, _) = feedback.round(weights, step: Lanes(repeating: 1 / 400))
        for lane in 0..<Lanes.scalarCount {
            for value in whole { #expect(abs(value[lane]) <= 127 && value[lane] == value[lane].rounded()) }
            for (a, b) in pairs { #expect(abs(whole[a][lane]) + abs(whole[b][lane]) <= 128) }
        }
    }
}
