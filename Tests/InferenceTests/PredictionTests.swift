import TestSupport
import Testing

@testable import Inference

struct PredictionTests {
    @Test(arguments: [1, 2, 5, 10]) func ordersByProbabilityAndThenByIndex(count: Int) {
        var random = SplitMix64(seed: 5)
        let logits = (0..<10).map { _ in Float(Int.random(in: 0..<4, using: &random)) }
        let expected = logits.indices.sorted { (-logits[$0], $0) < (-logits[$1], $1) }.prefix(count)
        #expect(Prediction.top(count, logits: logits).map(\.index) == Array(expected))
    }

    @Test func probabilitiesAddUpToOneForLargeLogitsToo() {
        let probabilities = Prediction.probabilities(logits: [1000, 999, -1000])
        #expect(abs(probabilities.reduce(0, +) - 1) < 1e-6)
        #expect(abs(probabilities[0] - 0.7310586) < 1e-6)  // 1 / (1 + e^-1)
        #expect(probabilities[2] == 0)
    }
}
