import EfficientNet
import Tensors
import TestSupport
import Testing

@testable import Inference
@testable import Quantization

struct QuantizedFileTests {
    private func read(_ tensors: [String: StoredTensor], _ network: TinyNetwork = .lite) throws -> QuantizedGraph {
        try QuantizedGraph(
            architecture: network.architecture, normalisation: TinyNetwork.normalisation, tensors: tensors)
    }

    @Test(arguments: TinyNetwork.allCases, [[], ["blocks.0", "blocks.1"], ["blocks.2"]])
    func readsWhatItWrote(network: TinyNetwork, keep: [String]) throws {
        let quantized = try network.quantize(TinyNetwork.images(6), keep: Set(keep))
        let tensors = quantized.tensors()
        let again = try read(tensors, network)
        let written = again.tensors()
        #expect(written.keys.sorted() == tensors.keys.sorted())
        for (name, tensor) in tensors {
            #expect(written[name]?.shape == tensor.shape)
            #expect(written[name]?.withBytes { Array($0) } == tensor.withBytes { Array($0) }, "\(name)")
        }
        let image = TinyNetwork.images(1, seed: 7)[0]
        let logits = try [quantized, again].map {
            try QuantizedReference($0).run(image.pixels, height: image.height, width: image.width).logits
        }
        #expect(logits[0] == logits[1])
    }

    /// What is done to a sound file, and the tensor that the error must name.
    private static let damages: [(tensor: String, damage: @Sendable (inout [String: StoredTensor]) -> Void)] = [
        ("blocks.1.expand.weight", { $0["blocks.1.expand.weight"] = nil }),
        ("classifier.weight", { $0["classifier.weight"] = nil }),
        ("classifier.weight", { Self.empty(&$0, "classifier.weight", [1 << 60, 0]) }),
        ("classifier.weight", { Self.empty(&$0, "classifier.weight", [0, 48]) }),
        ("head.weight", { Self.empty(&$0, "head.weight", [1 << 60, 0]) }),
        ("features.output_scale", { $0["features.output_scale"] = nil }),
        ("stranger", { $0["stranger"] = StoredTensor([1], shape: [1]) }),
        ("head.bias", { $0["head.bias"] = StoredTensor([Float](repeating: 0, count: 47), shape: [47]) }),
        ("head.bias", { $0["head.bias"] = StoredTensor([Float](repeating: .nan, count: 48), shape: [48]) }),
        ("head.scale", { $0["head.scale"] = StoredTensor([Float](repeating: 0, count: 48), shape: [48]) }),
        ("head.scale", { $0["head.scale"] = StoredTensor(signedBytes: [Int8](repeating: 1, count: 48), shape: [48]) }),
        ("head.output_scale", { $0["head.output_scale"] = StoredTensor([-1], shape: [1]) }),
        ("head.output_scale", { $0["head.output_scale"] = StoredTensor([0.1], shape: [1]) }),  // beyond 6
        ("head.output_zero_point", { $0["head.output_zero_point"] = StoredTensor(bytes: [1], shape: [1]) }),
        ("input.std", { $0["input.std"] = StoredTensor([1, 1, 1], shape: [3]) }),
        ("head.weight", { Self.change(&$0, "head.weight", [0: -128]) }),
        ("head.weight", { Self.change(&$0, "head.weight", [0: 100, 1: -29]) }),
        ("blocks.1.depthwise.weight", { Self.change(&$0, "blocks.1.depthwise.weight", [2: 70, 3: 70]) }),
        ("stem.weight", { Self.change(&$0, "stem.weight", [0: 127, 9: 2]) }),  // channels 0 and 1 of one column
    ]

    private static func change(_ tensors: inout [String: StoredTensor], _ name: String, _ changes: [Int: Int8]) {
        var values = tensors[name]!.signedBytes
        for (index, value) in changes { values[index] = value }
        tensors[name] = StoredTensor(signedBytes: values, shape: tensors[name]!.shape)
    }

    private static func empty(_ tensors: inout [String: StoredTensor], _ name: String, _ dimensions: [Int]) {
        tensors[name] = StoredTensor(signedBytes: [], shape: Shape(dimensions))
    }

    @Test(arguments: damages.indices) func namesTheTensorThatIsWrong(index: Int) throws {
        var tensors = try Self.sound.get()
        let (name, damage) = Self.damages[index]
        damage(&tensors)
        do {
            _ = try read(tensors)
            Issue.record("damage \(index), to \(name), was not noticed")
        } catch let InferenceError.quantisedTensor(found, _) {
            #expect(found == name)
        }
    }

    private static let sound = Result { try TinyNetwork.lite.quantize(TinyNetwork.images(4)).tensors() }

    @Test(arguments: TinyNetwork.allCases) func neverBreaksThePairsLimit(network: TinyNetwork) throws {
        // Reading checks every pair; here it is counted once more, by the packed order's own definition.
        let graph = try network.quantize(TinyNetwork.images(6))
        for case .integer(let segment) in graph.segments {
            if let layer = segment.projection {
                for output in 0..<layer.outputs {
                    for k in stride(from: 0, to: layer.inputs - 1, by: 2) {
                        let first = output * layer.inputs + k
                        #expect(abs(Int(layer.weights[first])) + abs(Int(layer.weights[first + 1])) <= 128)
                    }
                }
            }
            if let layer = segment.depthwise {
                for row in 0..<layer.outputs * layer.kernel {
                    for column in stride(from: 0, to: layer.kernel - 1, by: 2) {
                        let first = row * layer.kernel + column
                        #expect(abs(Int(layer.weights[first])) + abs(Int(layer.weights[first + 1])) <= 128)
                    }
                }
            }
        }
        _ = try read(graph.tensors(), network)
    }
}
