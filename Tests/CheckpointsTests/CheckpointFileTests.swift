import EfficientNet
import Tensors
import TestSupport
import Testing

@testable import Checkpoints

struct CheckpointFileTests {
    @Test(
        arguments: [
            ("efficientnet_b0", .torchvision, nil), ("efficientnet-lite0", .efficientNetPyTorch, nil),
            ("tf_efficientnetv2_b0", .timm, nil), ("tf_efficientnet_b0", .timm, "tf_efficientnet_b0"),
        ] as [(String, Dialect, String?)])
    func aFileIsRecognised(name: String, dialect: Dialect, given: String?) throws {
        let directory = try TemporaryDirectory()
        let path = "\(directory.path)/w.safetensors"
        let architecture = try Architecture(named: name, dialect: dialect, classCount: 3)
        let original = try SyntheticCheckpoint(architecture, dialect: dialect, gain: 1).checkpoint()
        try original.write(to: path)
        let loaded = try Checkpoint.load(path, architectureName: given)
        #expect(loaded.architecture == architecture)
        #expect(loaded.dialect == dialect)
        for (parameter, _) in architecture.parameters() {
            #expect(loaded.values(of: parameter) == original.values(of: parameter))
        }
    }

    @Test func aVariantAndItsPortNeedAName() throws {
        let directory = try TemporaryDirectory()
        let path = "\(directory.path)/w.safetensors"
        let architecture = try Architecture(named: "efficientnet_b0", dialect: .timm, classCount: 2)
        try SyntheticCheckpoint(architecture, dialect: .timm, gain: 1).checkpoint().write(to: path)
        #expect(
            throws: CheckpointError.ambiguousArchitecture(
                path: path, candidates: ["efficientnet_b0", "tf_efficientnet_b0"])
        ) { try Checkpoint.load(path) }
        #expect(throws: CheckpointError.architecture(.unknownVariant("b99"))) {
            try Checkpoint.load(path, architectureName: "b99")
        }
    }

    @Test func aFileOfAnotherKindIsRefused() throws {
        let path = Fixtures.path("safetensors/python.safetensors")
        #expect(throws: CheckpointError.unknownDialect(path: path, names: ["bf16", "empty", "f16"])) {
            try Checkpoint.load(path)
        }
        let directory = try TemporaryDirectory()
        let lone = "\(directory.path)/lone"
        try Safetensors.write(["conv_stem.weight": StoredTensor([1 as Float], shape: [1])], to: lone)
        #expect(throws: CheckpointError.unknownArchitecture(path: lone, dialect: .timm)) {
            try Checkpoint.load(lone)
        }
    }

    @Test func aFileWithoutItsStemIsNamedByWhatItLacks() throws {
        let directory = try TemporaryDirectory()
        let path = "\(directory.path)/w.safetensors"
        let architecture = try Architecture(named: "Lite0", dialect: .torchvision, classCount: 2)
        var tensors = SyntheticCheckpoint(architecture, dialect: .torchvision, gain: 1).tensors()
        tensors["features.0.0.weight"] = nil
        try Safetensors.write(tensors, to: path)
        var expected = CheckpointMismatch(architecture: "efficientnet_lite0", dialect: .torchvision)
        expected.missing = ["features.0.0.weight"]
        #expect(throws: CheckpointError.mismatch(path: path, expected)) {
            try Checkpoint.load(path, architectureName: "Lite0")
        }
    }

    @Test func theBundledModelIsWhole() throws {
        let repository = ModelRepository(directory: "\(Fixtures.repositoryRoot)/models")
        let model = try repository.model(named: "efficientnet-lite0")
        let checkpoint = try model.checkpoint()
        #expect(checkpoint.architecture == (try Architecture(named: "Lite0")))
        // As Python's safetensors reads them.
        #expect(checkpoint.values(of: .stem(.batchNormVariance)).prefix(3) == [1.6314286, 70.371574, 14.107358])
        #expect(
            checkpoint.values(of: .classifierWeight).suffix(2) == [0.0053468868136405945, 0.04085797071456909])
        let labels = try #require(try model.labels(classCount: 1000))
        #expect([labels[0], labels[1], labels[999]] == ["tench", "goldfish", "toilet tissue"])
        // Lite's (x - 127) / 128 on pixels of 0 to 255.
        #expect(model.description.mean.allSatisfy { abs($0 * 255 - 127) < 1e-4 })
        #expect(model.description.standardDeviation.allSatisfy { abs($0 * 255 - 128) < 1e-4 })
        #expect(model.description.resize == 256 && model.description.crop == 224)
        #expect(try Checkpoint.load(model.weightsPath).architecture == checkpoint.architecture)
    }
}
