import Testing

@testable import Checkpoints

struct ModelDescriptionTests {
    static let members: [(key: String, value: String)] = [
        ("architecture", "\"efficientnet_b1\""), ("dialect", "\"torchvision\""), ("input_size", "240"),
        ("resize", "255"), ("crop", "240"), ("filter", "\"bilinear\""), ("mean", "[0.485, 0.456, 0.406]"),
        ("std", "[0.229, 0.224, 0.225]"), ("precision", "\"fp32\""),
    ]

    /// model.json with some values replaced or added, or a key left out.
    static func json(_ changes: [String: String] = [:], without missing: String? = nil) -> [UInt8] {
        let all = members.filter { changes[$0.key] == nil && $0.key != missing } + changes.map { ($0.key, $0.value) }
        return Array("{\(all.map { "\"\($0.key)\": \($0.value)" }.joined(separator: ", "))}".utf8)
    }

    @Test func readsAndWritesTheSame() throws {
        let description = try ModelDescription(json: Self.json(), path: "p")
        #expect(description.architecture == "efficientnet_b1")
        #expect(description.dialect == .torchvision)
        #expect(description.padding == nil && description.batchNormEpsilon == nil && description.labels == nil)
        #expect(description.inputSize == 240 && description.resize == 255 && description.crop == 240)
        #expect(description.filter == .bilinear)
        #expect(description.standardDeviation == [0.229, 0.224, 0.225])
        #expect(description.weights == "model.safetensors")
        #expect(try ModelDescription(json: description.json, path: "p") == description)
    }

    @Test func theDialectMayBeLeftToBeRecognised() throws {
        #expect(try ModelDescription(json: Self.json(without: "dialect"), path: "p").dialect == nil)
    }

    @Test func optionalKeysAreKept() throws {
        let changes = [
            "padding": "\"same\"", "batch_norm_epsilon": "0.01", "weights": "\"w\"", "labels": "\"l.txt\"",
            "licence": "\"MIT\"", "description": "\"é\"",
        ]
        let description = try ModelDescription(json: Self.json(changes), path: "p")
        #expect(description.padding == .same)
        #expect(description.batchNormEpsilon == 0.01)
        #expect(description.weights == "w" && description.labels == "l.txt")
        #expect(description.licence == "MIT" && description.summary == "é")
        #expect(try ModelDescription(json: description.json, path: "p") == description)
    }

    @Test(arguments: members.map(\.key).filter { $0 != "dialect" }) func aMissingKeyIsNamed(key: String) {
        #expect(throws: CheckpointError.description(path: "p", key: key, reason: "is missing")) {
            try ModelDescription(json: Self.json(without: key), path: "p")
        }
    }

    @Test(arguments: [
        ("colour", "1", "is no key of a model description"),
        ("architecture", "7", "must be a string"),
        ("dialect", "\"keras\"", "is 'keras' and must be one of torchvision, timm, efficientnet_pytorch"),
        ("padding", "\"valid\"", "is 'valid' and must be one of symmetric, same"),
        ("padding", "null", "is null and must be a string"),
        ("batch_norm_epsilon", "0", "must be between 0 and 1"),
        ("input_size", "\"240\"", "must be a whole number"),
        ("input_size", "0", "must be 1 to 'resize', which is 255"),
        ("input_size", "256", "must be 1 to 'resize', which is 255"),
        ("resize", "5000", "must be 1 to 4096"),
        ("crop", "239", "must be 'input_size', which is 240"),
        ("filter", "\"lanczos\"", "is 'lanczos' and must be one of bilinear, bicubic"),
        ("mean", "[0, 0]", "must be three numbers"),
        ("mean", "0.5", "must be a list of numbers"),
        ("mean", "[0, 0, \"x\"]", "must be a number"),
        ("std", "[1, 1, 0]", "must be three positive numbers"),
        ("precision", "\"fp64\"", "is 'fp64' and must be one of fp32, int8"),
        ("weights", "\"../other/model.safetensors\"", "must be the name of a file beside it"),
        ("weights", "\"/etc/passwd\"", "must be the name of a file beside it"),
        ("labels", "\"..\"", "must be the name of a file beside it"),
        ("labels", "\"\"", "must be the name of a file beside it"),
    ])
    func aWrongValueIsNamed(key: String, value: String, reason: String) {
        #expect(throws: CheckpointError.description(path: "p", key: key, reason: reason)) {
            try ModelDescription(json: Self.json([key: value]), path: "p")
        }
    }

    @Test(arguments: ["", "{", "[]", "nonsense", "{\"input_size\": 1e400}"]) func whatIsNoDescriptionIsRefused(
        text: String
    ) {
        #expect(throws: CheckpointError.self) { try ModelDescription(json: Array(text.utf8), path: "p") }
    }

    @Test func anUnknownArchitectureIsNamed() {
        #expect {
            try ModelDescription(json: Self.json(["architecture": "\"resnet50\""]), path: "p")
        } throws: { error in
            guard case .description("p", "architecture", let reason) = error as? CheckpointError else { return false }
            return reason.contains("resnet50")
        }
    }
}
