import Testing

@testable import Quantization

struct ComparisonTests {
    @Test func countsAgreementAndAccuracy() {
        var comparison = Comparison()
        comparison.count(float: [0, 3, 1], quantized: [0, 2, 1], actual: 1)
        comparison.count(float: [0, 3, 1], quantized: [0, 1, 2], actual: 1)
        #expect(comparison.images == 2)
        #expect(comparison.agreement == 0.5)
        #expect(comparison.float.top1 == 1)
        #expect(comparison.quantized.top1 == 0.5)
        #expect(comparison.quantized.top5 == 1)
    }

    @Test func divergenceIsThatOfTheSoftmaxes() {
        var same = Comparison()
        same.count(float: [1, 2, 3], quantized: [11, 12, 13])
        #expect(abs(same.meanDivergence) < 1e-9)
        // p = (3/4, 1/4), q = (1/2, 1/2): 3/4 · log(3/2) + 1/4 · log(1/2)
        var different = Comparison()
        different.count(float: [1.0986123, 0], quantized: [0, 0])
        #expect(abs(different.meanDivergence - 0.1308121) < 1e-6)
    }
}

struct RangeMethodTests {
    /// 10,000 values near 0 … 1 and one at the far end.
    private var skewed: Distribution {
        var counts = [Double](repeating: 0, count: 100)
        for bin in 0..<10 { counts[bin] = 10_000 }
        counts[99] = 1
        return Distribution(low: 0, width: 0.1, counts: counts)
    }

    @Test func minmaxHoldsEveryValue() {
        #expect(RangeMethod.minmax.range(skewed).high == 10)
    }

    @Test func percentileLeavesOutTheFewFarOnes() {
        #expect(abs(RangeMethod.percentile.range(skewed).high - 1) < 1e-9)
    }

    @Test func mseWeighsCutOffAgainstRounding() {
        let high = RangeMethod.mse.range(skewed).high
        #expect(high > 1 && high < 10)
        let best = skewed.squaredError(step: high / 255, from: 0, to: high)
        #expect(best <= skewed.squaredError(step: 10 / 255, from: 0, to: 10))
        #expect(best <= skewed.squaredError(step: 1 / 255, from: 0, to: 1))
    }

    @Test(arguments: RangeMethod.allCases) func aChannelThatNeverMovesHasNoRange(method: RangeMethod) {
        let range = method.range(Distribution(low: 0, width: 0, counts: [5]))
        #expect(range.low == 0 && range.high == 0)
    }
}
