import EfficientNet
import Inference
import Tensors
import TestSupport
import Testing

@testable import Quantization

struct QuantizerTests {
    /// The tensors' bytes by name.
    private func contents(_ graph: QuantizedGraph) -> [String: [UInt8]] {
        graph.tensors().mapValues { $0.withBytes { Array($0) } }
    }

    @Test(arguments: TinyNetwork.allCases) func staysNearFloatingPoint(network: TinyNetwork) throws {
        let quantized = try network.quantize()
        let (alone, together) = try network.with { try $0.measure(quantized, on: TinyNetwork.images(8, seed: 2)) }
        for layer in alone { #expect(layer.decibels > 25, "\(network) \(layer.name): \(layer.decibels) dB") }
        for segment in together { #expect(segment.decibels > 18, "\(network) \(segment.name): \(segment.decibels) dB") }
    }

    /// The fast run over whole pictures, which calibration relies on, gives the reference's logits to the bit.
    @Test(arguments: TinyNetwork.allCases) func calibratesOnWhatTheReferenceComputes(network: TinyNetwork) throws {
        let quantized = try network.quantize()
        let images = TinyNetwork.images(3, seed: 3)
        let fast = try network.with { try $0.logits(quantized, on: images) }
        let reference = try QuantizedReference(quantized)
        for (image, logits) in zip(images, fast) {
            let expected = try reference.run(image.pixels, height: image.height, width: image.width).logits
            // Gates come from sums in floating point, which the two add up in different orders.
            if network == .lite {
                #expect(logits.quantized == expected)
            } else {
                let largest = expected.map(abs).max()!
                for (a, b) in zip(logits.quantized, expected) { #expect(abs(a - b) < 0.05 * largest) }
            }
        }
    }

    @Test(arguments: TinyNetwork.allCases) func givesTheSameFileWithAnyNumberOfThreads(network: TinyNetwork) throws {
        #expect(try contents(network.quantize(threads: 1)) == contents(network.quantize(threads: 3)))
    }

    @Test(arguments: RangeMethod.allCases) func everyMethodKeepsTheSignal(method: RangeMethod) throws {
        let quantized = try TinyNetwork.lite.quantize(method: method)
        let (_, together) = try TinyNetwork.lite.with { try $0.measure(quantized, on: TinyNetwork.images(8, seed: 2)) }
        #expect(together.last!.decibels > 18)
    }

    @Test(arguments: [["blocks.1"], ["blocks.0", "blocks.1"], ["blocks.2"], ["blocks.0", "blocks.1", "blocks.2"]])
    func keepsBlocksInFloatingPoint(keep: [String]) throws {
        let network = TinyNetwork.lite
        let quantized = try network.quantize(keep: Set(keep))
        for (name, block) in zip(Quantizer.segmentNames(of: network.architecture), quantized.segments) {
            if case .float = block { #expect(keep.contains(name)) } else { #expect(!keep.contains(name)) }
        }
        let images = TinyNetwork.images(2, seed: 4)
        let reference = try QuantizedReference(quantized)
        for (image, logits) in zip(images, try network.with { try $0.logits(quantized, on: images) }) {
            let expected = try reference.run(image.pixels, height: image.height, width: image.width).logits
            let largest = expected.map(abs).max()!
            for (a, b) in zip(logits.quantized, expected) { #expect(abs(a - b) < 0.05 * largest) }
            for (a, b) in zip(logits.float, expected) { #expect(abs(a - b) < 0.3 * largest) }
        }
    }

    @Test func keepsTheNoisiestBlocksThatFitIntoTheBudget() throws {
        let network = TinyNetwork.lite
        let quantized = try network.quantize()
        let (layers, _) = try network.with { try $0.measure(quantized, on: TinyNetwork.images(4, seed: 5)) }
        func kept(_ budget: Double) throws -> Set<String> {
            try Quantizer.segmentsToKeep(
                layers, budget: budget, architecture: network.architecture, inputSize: TinyNetwork.size)
        }
        #expect(try kept(0).isEmpty)
        #expect(try kept(1) == Set(Quantizer.segmentNames(of: network.architecture)))
        let some = try kept(0.5)
        #expect(!some.isEmpty && some.count < 3)
    }

    @Test func namesTheStemOnlyWhereItStandsAlone() {
        #expect(Quantizer.segmentNames(of: TinyNetwork.lite.architecture) == ["blocks.0", "blocks.1", "blocks.2"])
        #expect(
            Quantizer.segmentNames(of: TinyNetwork.squeeze.architecture)
                == ["stem", "blocks.0", "blocks.1", "blocks.2"])
    }
}
