import EfficientNet
import Kernels
import TestSupport
import Testing

@testable import Inference

struct VariantTests {
    /// Every variant computes what the plain reference computes, on a small odd picture.
    @Test(arguments: Variant.all.map(\.name)) func runsEveryVariantOnOddSizes(name: String) throws {
        let architecture = try Architecture(named: name, classCount: 7)
        let dialect = Dialect.timm
        let graph = try Graph(SyntheticCheckpoint(architecture, dialect: dialect, gain: 1.1).checkpoint())
        for (height, width) in [(33, 47), (1, 1)] {
            let plan = try Plan(graph: graph, inputHeight: height, inputWidth: width)
            var random = SplitMix64(seed: 9)
            let image = random.floats(3 * height * width)
            let logits = TestEngine(threads: 2).logits(plan, planar: image + image, images: 2)
            #expect(logits[0] == logits[1])
            #expect(!logits[0].contains { !$0.isFinite })
            let exact = ReferenceNetwork(graph).logits(planar: image, height: height, width: width)
            let largest = exact.map(abs).max()!
            let worst = zip(logits[0], exact).map { abs(Double($0) - $1) }.max()!
            #expect(worst <= 1e-4 * largest, "\(name) at \(width)×\(height): \(worst / largest)")
        }
    }

    @Test func normalisesPixelsAsItsDescriptionSays() throws {
        let architecture = try Architecture(named: "efficientnet_lite0", dialect: .timm, classCount: 10)
        let graph = try Graph(SyntheticCheckpoint(architecture, dialect: .timm, gain: 1.2).checkpoint())
        let plan = try Plan(graph: graph, inputHeight: 40, inputWidth: 56, normalisation: .imageNet)
        var random = SplitMix64(seed: 4)
        let pixels = (0..<(40 * 56 * 3)).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        let normalisation = Normalisation.imageNet
        var planar: [Float] = []
        for c in 0..<3 {
            for i in 0..<40 * 56 {
                let value = Float(pixels[i * 3 + c]) / 255
                planar.append((value - normalisation.mean[c]) / normalisation.standardDeviation[c])
            }
        }
        let engine = TestEngine(threads: 1)
        let expected = engine.logits(plan, planar: planar, images: 1)[0]
        var session = Session(plan: plan, capacity: 1)
        pixels.withUnsafeBufferPointer { pixels in
            engine.pool.withScope {
                session.run([.rgb(pixels.baseAddress!)], in: $0, scratch: engine.scratch)
            }
        }
        let largest = expected.map(abs).max()!
        for (a, b) in zip(session.logits(of: 0), expected) { #expect(abs(a - b) <= 1e-4 * largest) }
    }

    @Test(arguments: [(0, 224), (224, -1), (5000, 224)]) func refusesImpossibleInputSizes(height: Int, width: Int)
        throws
    {
        let architecture = try Architecture(named: "efficientnet_lite0", dialect: .timm, classCount: 10)
        let graph = try Graph(SyntheticCheckpoint(architecture, dialect: .timm, gain: 1.2).checkpoint())
        #expect(throws: InferenceError.inputSize(height: height, width: width, limit: Plan.mostPixelsASide)) {
            try Plan(graph: graph, inputHeight: height, inputWidth: width)
        }
    }
}
