import EfficientNet
import Kernels
import Parallelism
import Tensors
import TestSupport
import Testing

@testable import Inference
@testable import Quantization

/// Values that are too large, too small or no numbers give errors with the layer's name.
struct ExtremeValuesTests {
    /// A histogram of one channel that has seen all of `values`.
    private func histogram(_ values: [Float]) -> (ChannelHistogram, Picture) {
        var picture = Picture(height: 1, width: values.count, channels: 1)
        for (pixel, value) in values.enumerated() { picture.values[pixel * picture.stride] = value }
        var histogram = ChannelHistogram(channels: 1)
        histogram.widen(picture)
        return (histogram, picture)
    }

    @Test(arguments: [[0, 1e-37], [0x1p-149, 0x1p-148], [-0x1p-125, 1e-37]] as [[Float]])
    func aRangeThatCannotBeDividedIsNone(values: [Float]) {
        var (histogram, picture) = histogram(values)
        #expect(histogram.isFinite)
        histogram.beginCounting()
        histogram.count(picture, half: 0)
        #expect(histogram.distribution(0).range == (0, 0))
    }

    @Test func theNarrowestRangeIsCounted() {
        var (histogram, picture) = histogram([-1e-35, 1e-35])
        histogram.beginCounting()
        histogram.count(picture, half: 1)
        #expect(histogram.distribution(0).counts.first == 1 && histogram.distribution(0).counts.last == 1)
    }

    @Test(arguments: [[.infinity], [1, -.infinity], [.nan, 2], [3e38, -3e38]] as [[Float]])
    func seesWhatIsNoNumber(values: [Float]) {
        let (histogram, _) = histogram(values)
        #expect(!histogram.isFinite)
        var other = ChannelHistogram(channels: 1)
        other.widen(histogram)
        #expect(!other.isFinite)
    }

    /// The weights of one tensor times 10³⁸, and the layer that the error must name.
    @Test(
        arguments: [
            ("blocks.1.0.conv_pwl.weight", "blocks.1.project"), ("classifier.weight", "classifier"),
            ("blocks.2.0.conv_pw.weight", "blocks.2.expand"),
        ]) func namesTheLayerThatOverflows(tensor: String, layer: String) throws
    {
        let network = TinyNetwork.lite
        var tensors = SyntheticCheckpoint(network.architecture, dialect: .timm, gain: 1.3).tensors()
        let weight = try #require(tensors[tensor], "\(tensors.keys.sorted())")
        tensors[tensor] = StoredTensor(weight.floats.map { $0 * 1e38 }, shape: weight.shape)
        let graph = try Graph(Checkpoint(architecture: network.architecture, dialect: .timm, tensors: tensors))
        let pool = WorkerPool(workerCount: 2)
        defer { pool.shutdown() }
        do {
            _ = try pool.withScope {
                try Quantizer(graph, normalisation: TinyNetwork.normalisation, options: Quantizer.Options(), in: $0)
                    .run(TinyNetwork.images(3))
            }
            Issue.record("\(tensor) was not noticed")
        } catch let InferenceError.impossibleQuantisation(found, reason) {
            #expect(found == layer, "\(reason)")
        }
    }

    @Test(arguments: [3e38, 0x1p-147] as [Float]) func aDepthwiseLayerWithoutAStepIsRefused(weight: Float) throws {
        let layer = FloatLayer(
            DepthwiseLayer(
                channels: 1, kernel: 3, stride: 1, weights: [Float](repeating: weight, count: 9), bias: [0],
                activation: .none), name: "blocks.0.depthwise")
        var moments = PatchMoments(layer, padding: .same)
        var picture = Picture(height: 4, width: 4, channels: 1)
        for pixel in 0..<16 { picture.values[pixel * picture.stride] = Float(pixel * 16) }
        moments.add(picture, float: picture)
        let pool = WorkerPool(workerCount: 1)
        defer { pool.shutdown() }
        let quantizer = LayerQuantizer(
            layer: layer, moments: moments, inputScales: [weight > 1 ? 2 : 1],
            output: AffineQuantization(scales: [weight > 1 ? 1 : 0x1p-126], zeroPoint: 0), damping: 0.01)
        do {
            _ = try pool.withScope { try quantizer.run(in: $0) }
            Issue.record("a weight of \(weight) was not noticed")
        } catch let InferenceError.impossibleQuantisation(found, _) {
            #expect(found == "blocks.0.depthwise")
        }
    }
}
