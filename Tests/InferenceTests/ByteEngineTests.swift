import EfficientNet
import Kernels
import Parallelism
import Tensors
import TestSupport
import Testing

@testable import Inference

/// The engine in bytes gives the bits of the plain reference on every instruction set, whatever the batch and the threads.
struct ByteEngineTests {
    /// One without squeeze-and-excite, one with it, one with fused blocks, one whose blocks begin with a depthwise
    /// convolution; sizes that are large enough for rows and slices, odd, and tiny.
    static let cases: [(name: String, dialect: Dialect, height: Int, width: Int)] = [
        ("efficientnet_lite0", .efficientNetPyTorch, 96, 96), ("efficientnet_lite0", .efficientNetPyTorch, 33, 47),
        ("efficientnet_lite1", .efficientNetPyTorch, 75, 130), ("efficientnet_b0", .torchvision, 129, 97),
        ("efficientnet_b1", .torchvision, 64, 64), ("efficientnet_v2_s", .torchvision, 75, 53),
        ("efficientnet_b0", .efficientNetPyTorch, 2, 1), ("efficientnet_v2_s", .torchvision, 1, 1),
    ]

    @Test(arguments: cases)
    func equalsTheReference(name: String, dialect: Dialect, height: Int, width: Int) throws {
        let architecture = try Architecture(named: name, dialect: dialect, classCount: 21)
        let graph = QuantizedGraph(randomWeightsFor: architecture)
        var random = SplitMix64(seed: 5)
        let images = (0..<3).map { _ in (0..<height * width * 3).map { _ in UInt8(truncatingIfNeeded: random.next()) } }
        let reference = try QuantizedReference(graph)
        let expected = try images.map { try reference.run($0, height: height, width: width).logits }
        // A reference that is the same whatever goes in would prove nothing.
        if height > 8 { #expect(expected[0] != expected[1]) }
        for table in KernelTable.available {
            let plan = try Plan(graph: graph, table: table, inputHeight: height, inputWidth: width)
            for threads in [1, 2] {
                let engine = TestEngine(threads: threads)
                for order in [[0], [1], [2, 0], [0, 1, 2, 1, 0]] {
                    let logits = engine.logits(plan, rgb: order.map { images[$0] })
                    #expect(logits == order.map { expected[$0] }, "\(table.isa), \(threads) threads, batch \(order)")
                }
            }
        }
    }

    /// What does not fit into its type is called by the layer's name in the file, by the engine and by the reference.
    @Test(arguments: ["stem", "blocks.1.expand", "blocks.2.depthwise", "blocks.3.project", "blocks.1.gated"])
    func errorsNameTheLayer(name: String) throws {
        let architecture = try Architecture(named: "efficientnet_b0", dialect: .torchvision, classCount: 21)
        let sound = QuantizedGraph(randomWeightsFor: architecture)
        var tensors = sound.tensors()
        let scales = "\(name).output_scale"
        let count = try #require(tensors[scales]).shape.elementCount
        tensors[scales] = StoredTensor([Float](repeating: 0x1p-100, count: count), shape: [count])
        let graph = try QuantizedGraph(
            architecture: architecture, normalisation: sound.normalisation, tensors: tensors)
        func layer(_ body: () throws -> Void) -> String? {
            do {
                try body()
                return nil
            } catch {
                if case InferenceError.impossibleQuantisation(let layer, _) = error { return layer }
                return "\(error)"
            }
        }
        for table in KernelTable.available {
            #expect(layer { _ = try Plan(graph: graph, table: table, inputHeight: 32, inputWidth: 32) } == name)
        }
        #expect(layer { _ = try QuantizedReference(graph) } == name)
    }

    /// Segments kept in floating point: the first, the last, neighbours, with squeeze-and-excite and without, on large
    /// pictures and small ones, all of them. A network ends after `blocks` blocks, so that little comes behind a
    /// difference to make it larger.
    static let keptCases: [(name: String, dialect: Dialect, blocks: Int, kept: Set<Int>)] = [
        ("efficientnet_lite0", .efficientNetPyTorch, 1, [0]), ("efficientnet_lite0", .efficientNetPyTorch, 4, [2, 3]),
        ("efficientnet_lite0", .efficientNetPyTorch, 16, [14]), ("efficientnet_b0", .torchvision, 3, [1, 2]),
        ("efficientnet_b0", .torchvision, 16, Set(0..<16)), ("efficientnet_v2_s", .torchvision, 3, [2, 3]),
        ("efficientnet_v2_s", .torchvision, 4, [0, 1, 2, 3, 4]),
    ]

    @Test(arguments: keptCases)
    func keepsSegmentsInFloatingPoint(name: String, dialect: Dialect, blocks: Int, kept: Set<Int>) throws {
        let size = 96
        let whole = try Architecture(named: name, dialect: dialect, classCount: 21)
        let architecture = Architecture(
            name: name, title: name, inputSize: size, dropout: 0, activation: whole.activation,
            padding: whole.padding, batchNormEpsilon: whole.batchNormEpsilon, classCount: 21, stem: whole.stem,
            blocks: Array(whole.blocks.prefix(blocks)), headChannels: whole.headChannels)
        let integers = QuantizedGraph(randomWeightsFor: architecture)
        let floats = try Graph(SyntheticCheckpoint(architecture, dialect: dialect, gain: 1.2).checkpoint())
        #expect(floats.segments.count == integers.segments.count)
        let graph = QuantizedGraph(
            architecture: architecture, normalisation: integers.normalisation,
            segments: integers.segments.enumerated().map { kept.contains($0) ? .float(floats.segments[$0]) : $1 },
            headInput: integers.headInput, head: integers.head, features: integers.features,
            classifier: integers.classifier)
        var random = SplitMix64(seed: 6)
        let images = (0..<3).map { _ in (0..<size * size * 3).map { _ in UInt8(truncatingIfNeeded: random.next()) } }
        let reference = try QuantizedReference(graph)
        let expected = try images.map { try reference.run($0, height: size, width: size).logits }
        #expect(expected[0] != expected[1])
        var fused: [[Float]]?
        for table in KernelTable.available {
            let plan = try Plan(graph: graph, table: table, inputHeight: size, inputWidth: size)
            for threads in [1, 2] {
                let engine = TestEngine(threads: threads)
                let alone = images.map { engine.logits(plan, rgb: [$0])[0] }
                #expect(engine.logits(plan, rgb: [2, 0, 1].map { images[$0] }) == [2, 0, 1].map { alone[$0] })
                // A value halfway between two bytes may fall to either side: the reference computes in Double.
                for (logits, expected) in zip(alone, expected) {
                    let largest = expected.map(abs).max()!
                    let error = zip(logits, expected).map { abs($0 - $1) }.max()! / largest
                    #expect(error < 0.02, "\(table.isa), \(threads) threads")
                }
                guard table.isFused else { continue }
                #expect(alone == fused ?? alone, "\(table.isa), \(threads) threads")
                fused = alone
            }
        }
    }
}
