import Tensors
import TestSupport
import Testing

/// Expected values from the Python generator of the golden files.
struct SyntheticCheckpointTests {
    @Test func noiseEqualsTheGeneratorsInPython() {
        #expect(
            SyntheticCheckpoint.noise("_conv_stem.weight", count: 3) == [
                -0.03466522693634033, -0.25024986267089844, -0.8564745187759399,
            ])
        #expect(SyntheticCheckpoint.noise("_fc.weight", count: 1_280_000).last == 0.15648555755615234)
    }

    @Test func weightsEqualTheGeneratorsInPython() throws {
        let synthetic = try SyntheticCheckpoint(Golden("lite-efficientnet-lite0-64"))
        let stem = try synthetic.checkpoint().values(of: .stem(.convolutionWeight))
        #expect(stem.prefix(3) == [-0.017217062413692474, -0.12429076433181763, -0.4253823459148407])
    }

    @Test func inputEqualsTheGeneratorsInPython() {
        let input = SyntheticCheckpoint.input(size: 65)
        #expect(input.shape == [2, 3, 65, 65])
        #expect(input.values.last == 0.3110816478729248)
        #expect(input.values[1 * 65 * 65 + 8 * 65 + 7] == -1.274947166442871)
        #expect(abs(input.values.reduce(0.0) { $0 + Double($1) } - -173.27630591392517) < 1e-6)
    }
}
