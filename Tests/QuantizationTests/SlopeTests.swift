import EfficientNet
import Parallelism
import TestSupport
import Testing

@testable import Inference
@testable import Quantization

struct SlopeTests {
    private static let size = 16

    /// What the quantised layers before have made of `float`: flatter, higher, and noisy. Units: the same.
    private static func flattened(_ float: Picture, seed: UInt64) -> Picture {
        var random = SplitMix64(seed: seed)
        var picture = float
        for i in picture.values.indices {
            picture.values[i] = (0.85 * float.values[i] + 3 + Float.random(in: -2...2, using: &random)).rounded()
        }
        return picture
    }

    private static func pictures(channels: Int) -> [(float: Picture, quantized: Picture)] {
        var random = SplitMix64(seed: 7)
        return (0..<4).map { index in
            var float = Picture(height: size, width: size, channels: channels)
            for i in float.values.indices { float.values[i] = Float.random(in: 0...100, using: &random) }
            return (float, flattened(float, seed: UInt64(index)))
        }
    }

    /// Of the second on the first. Source: the textbook's least squares.
    private static func slope(_ x: [Double], _ y: [Double]) -> Double {
        let (xMean, yMean) = (x.reduce(0, +) / Double(x.count), y.reduce(0, +) / Double(y.count))
        let covariance = zip(x, y).map { ($0 - xMean) * ($1 - yMean) }.reduce(0, +)
        return covariance / x.map { ($0 - xMean) * ($0 - xMean) }.reduce(0, +)
    }

    private static let layers: [FloatLayer] = {
        var random = SplitMix64(seed: 3)
        let weights = (0..<9 * 8).map { _ in Float.random(in: -1...1, using: &random) }
        let bias = (0..<8).map { _ in Float.random(in: -1...1, using: &random) }
        return [
            FloatLayer(
                DenseLayer(
                    inputs: 8, outputs: 8, kernel: 1, stride: 1, weights: Array(weights[..<64]), bias: bias,
                    activation: .none), name: "blocks.0.project", role: .dense),
            FloatLayer(
                DepthwiseLayer(channels: 8, kernel: 3, stride: 1, weights: weights, bias: bias, activation: .none),
                name: "blocks.0.depthwise"),
        ]
    }()

    @Test(arguments: layers.indices) func outputsFollowFloatingPointWithoutAttenuation(index: Int) throws {
        let layer = Self.layers[index]
        let pictures = Self.pictures(channels: 8)
        var moments = PatchMoments(layer, padding: .same)
        for (float, quantized) in pictures { moments.add(quantized, float: float) }
        let pool = WorkerPool(workerCount: 1)
        defer { pool.shutdown() }
        let output = AffineQuantization(scales: [1], zeroPoint: 128)
        let quantizer = LayerQuantizer(
            layer: layer, moments: moments, inputScales: [Float](repeating: 1, count: 8), output: output, damping: 0.01)
        let quantized = try pool.withScope { try quantizer.run(in: $0) }

        // The layers' sums, computed afresh by another way than the moments.
        var whole = layer
        let perOutput = layer.weightsPerOutput
        whole.weights = quantized.weights.indices.map {
            Float(quantized.weights[$0]) * quantized.scales[$0 / perOutput]
        }
        whole.bias = quantized.bias
        let float = Convolution(layer, padding: .same, activation: .none)
        let integer = Convolution(whole, padding: .same, activation: .none)
        for channel in 0..<8 {
            var (x, y) = ([Double](), [Double]())
            for picture in pictures {
                let (a, b) = (float.run(picture.float), integer.run(picture.quantized))
                for pixel in 0..<a.pixels {
                    x.append(Double(a.values[pixel * a.stride + channel]))
                    y.append(Double(b.values[pixel * b.stride + channel]))
                }
            }
            let slope = Self.slope(x, y)
            // The moments look at some of the pixels.
            #expect(abs(slope - 1) < 0.03, "channel \(channel): \(slope)")
        }
    }
}
