import EfficientNet
import Tensors
import TestSupport
import Testing

struct CheckpointTests {
    static func tensors() throws -> (Architecture, [String: StoredTensor]) {
        let architecture = try Architecture(named: "Lite0", classCount: 7)
        return (architecture, SyntheticCheckpoint(architecture, dialect: .timm, gain: 1).tensors())
    }

    @Test func takesTheClassCountFromTheHead() throws {
        let (_, tensors) = try Self.tensors()
        let checkpoint = try Checkpoint(
            architecture: Architecture(named: "Lite0", dialect: .timm), dialect: .timm, tensors: tensors)
        #expect(checkpoint.architecture.classCount == 7)
        #expect(checkpoint.values(of: .classifierBias) == tensors["classifier.bias"]?.floats)
        #expect(
            checkpoint.values(of: .block(1, .expand, .convolutionWeight))
                == tensors["blocks.1.0.conv_pw.weight"]?.floats)
    }

    @Test func listsEverythingThatDoesNotFit() throws {
        var (architecture, tensors) = try Self.tensors()
        tensors["conv_stem.weight"] = nil
        tensors["classifier.bias"] = nil
        tensors["zebra"] = StoredTensor([1 as Float], shape: [1])
        tensors["ape"] = StoredTensor([1 as Float], shape: [1])
        tensors["bn1.num_batches_tracked"] = StoredTensor([1 as Float], shape: [])
        tensors["bn2.weight"] = StoredTensor([1 as Float, 2], shape: [2])
        var expected = CheckpointMismatch(architecture: architecture.name, dialect: .timm)
        expected.missing = ["conv_stem.weight", "classifier.bias"]
        expected.surplus = ["ape", "zebra"]
        expected.misshapen = [.init(name: "bn2.weight", found: [2], expected: [1280])]
        #expect(throws: expected) { try Checkpoint(architecture: architecture, dialect: .timm, tensors: tensors) }
        for name in ["conv_stem.weight", "classifier.bias", "ape", "zebra", "bn2.weight [2] instead of [1280]"] {
            #expect("\(expected)".contains(name))
        }
    }

    @Test func namesThreeOfManyThatDoNotFit() {
        var mismatch = CheckpointMismatch(architecture: "x", dialect: .timm)
        mismatch.missing = ["a", "b", "c"]
        #expect("\(mismatch)".hasSuffix("3 missing: a, b, c"))
        mismatch.missing += ["d", "e"]
        #expect("\(mismatch)".hasSuffix("5 missing: a, b, c and 2 more"))
    }

    @Test func refusesIntegersAsWeights() throws {
        var (architecture, tensors) = try Self.tensors()
        let directory = try TemporaryDirectory()
        let file = try MappedFile(path: directory.write([UInt8](repeating: 0, count: 32 * 8), to: "f"))
        tensors["bn1.weight"] = StoredTensor(.int64, [32], in: file, at: 0)
        var expected = CheckpointMismatch(architecture: architecture.name, dialect: .timm)
        expected.mistyped = ["bn1.weight"]
        #expect(throws: expected) { try Checkpoint(architecture: architecture, dialect: .timm, tensors: tensors) }
    }

    @Test func aHeadOfAnyShapeIsRefusedNotTrusted() throws {
        var (architecture, tensors) = try Self.tensors()
        for shape in [[], [0, 1280], [7], [1, 7, 1280]] as [[Int]] {
            let count = Shape(shape).elementCount
            tensors["classifier.weight"] = StoredTensor([Float](repeating: 0, count: count), shape: Shape(shape))
            #expect(throws: CheckpointMismatch.self) {
                try Checkpoint(architecture: architecture, dialect: .timm, tensors: tensors)
            }
        }
    }
}
