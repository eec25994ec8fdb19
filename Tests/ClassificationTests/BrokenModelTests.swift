import Checkpoints
import TestSupport
import Testing

@testable import Classification

/// A model that cannot be loaded takes no other one's place, and says why.
struct BrokenModelTests {
    /// What is wrong with a model's directory, and a part of the reason.
    struct Damage: CustomTestStringConvertible, Sendable {
        var testDescription: String
        var reason: String
        var damage: @Sendable (inout TestModel) throws -> Void
    }

    static let damages = [
        Damage(testDescription: "no weights", reason: "model.safetensors") { $0.weights = nil },
        Damage(testDescription: "no byte of weights", reason: "model.safetensors") { $0.weights = [] },
        Damage(testDescription: "half of the weights", reason: "model.safetensors") {
            $0.weights = $0.weights.map { Array($0[..<($0.count / 2)]) }
        },
        Damage(testDescription: "a byte too much", reason: "model.safetensors") { $0.weights?.append(0) },
        Damage(testDescription: "weights of noise", reason: "model.safetensors") {
            $0.weights = (0..<10_000).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 13) }
        },
        Damage(testDescription: "another architecture", reason: "model.safetensors") {
            $0.description = Array(
                String(decoding: $0.description, as: UTF8.self).replacing("efficientnet_lite0", with: "efficientnet_b0")
                    .utf8)
        },
        Damage(testDescription: "an unknown architecture", reason: "resnet") {
            $0.description = Array(
                String(decoding: $0.description, as: UTF8.self).replacing("efficientnet_lite0", with: "resnet50").utf8)
        },
        Damage(testDescription: "half of model.json", reason: "model.json") {
            $0.description = Array($0.description[..<($0.description.count / 2)])
        },
        Damage(testDescription: "no byte of model.json", reason: "model.json") { $0.description = [] },
        Damage(testDescription: "fp32 said to be int8", reason: "") {
            $0.description = Array(
                String(decoding: $0.description, as: UTF8.self).replacing("fp32", with: "int8").utf8)
        },
        Damage(testDescription: "too few labels", reason: "labels.txt") { $0.labels.removeLast() },
        Damage(testDescription: "a weight that is no number", reason: "conv_stem.weight") {
            try Self.fill(["conv_stem.weight"], of: &$0, with: .nan)
        },
        Damage(testDescription: "a result that is no number", reason: "not finite") {
            try Self.fill(["conv_head.weight", "classifier.weight"], of: &$0, with: 3e38)
        },
    ]

    private static func fill(_ names: [String], of model: inout TestModel, with value: Float) throws {
        var tensors = try TestModel.tensors()
        for name in names {
            let shape = tensors[name]!.shape
            tensors[name] = .init([Float](repeating: value, count: shape.elementCount), shape: shape)
        }
        model.weights = try TestModel.file(tensors)
    }

    private struct Models: Decodable {
        struct Version: Decodable {
            var version: String
            var state: String
            var reason: String
        }

        var versions: [Version]
    }

    private func states(_ test: TestService, _ name: String = "lite") throws -> [Models.Version] {
        try test.exchange("GET", "/v1/models/\(name)").decoded(Models.self).versions
    }

    @Test(arguments: damages) func replacesNoGoodOne(damage: Damage) throws {
        let test = try TestService()
        defer { test.stop() }
        let answer = try test.classify(Upload.jpeg("420")).text
        var model = try TestModel()
        try damage.damage(&model)
        try test.remove("lite/1")
        try test.write(model)

        let response = try test.repository("models/lite/load")
        #expect(response.status == 422 && response["content-type"] == "application/json")
        #expect(response.text.hasPrefix("{\"error\":\"model 'lite', version 1: "))
        #expect(response.text.contains(damage.reason) && response.text.hasSuffix("; version 1 answers\"}"))
        #expect(try test.classify(Upload.jpeg("420")).text == answer)
        let state = try #require(try states(test).first)
        #expect(state.state == "READY" && state.reason.contains(damage.reason))
        #expect(state.reason.hasSuffix("; what was loaded before answers"))
        let page = try test.metrics()
        #expect(page["swiftlet_model_load_failures_total{model=\"lite\"}"] == 1)
        #expect(page["swiftlet_model_ready", model: "lite"] == 1)
        #expect(page["swiftlet_images_total", model: "lite"] == 2)
        #expect(test.log.complaints == ["cannot load model"])

        try test.remove("lite/1")
        try test.write(TestModel().retrained())
        #expect(try test.repository("models/lite/load").status == 200)
        #expect(try states(test).map(\.reason) == [""])
        #expect(try test.classify(Upload.jpeg("420")).text != answer)
    }

    @Test(arguments: damages) func aNewVersionLeavesTheOldOneInItsPlace(damage: Damage) throws {
        let test = try TestService()
        defer { test.stop() }
        var model = try TestModel(version: 2)
        try damage.damage(&model)
        try test.write(model)
        #expect(try test.change(.reload) != nil)
        #expect(test.versions() == [1])
        #expect(try test.classify(Upload.jpeg("420")).decoded(ClassifyAnswer.self).version == "1")
        let refused = try test.classify(Upload.jpeg("420"), query: "?version=2")
        #expect(refused.status == 404)
        #expect(try refused.decoded(Problem.self).detail == "version 2 of model 'lite' is not loaded")
        let states = try states(test)
        #expect(states.map(\.version) == ["1", "2"] && states.map(\.state) == ["READY", "UNAVAILABLE"])
        #expect(states[0].reason == "" && states[1].reason.contains(damage.reason))
        let page = try test.metrics()
        #expect(page["swiftlet_model_ready{model=\"lite\",version=\"2\"}"] == 0)
        // It counts nothing that could be shown.
        #expect(
            try eventually {
                try test.metrics()["swiftlet_images_total{model=\"lite\",version=\"2\"}"] == nil
            })
        #expect(page["swiftlet_model_load_failures_total{model=\"lite\"}"] == 1)
        try test.remove("lite/2")
        #expect(try test.change(.reload) == nil)
        #expect(try self.states(test).map(\.version) == ["1"])
        #expect(try test.metrics()["swiftlet_model_ready{model=\"lite\",version=\"2\"}"] == nil)
    }

    /// A restart comes to what a reload came to.
    @Test func theLatestThatCanBeLoadedAnswersFromTheStart() throws {
        var broken = try TestModel(version: 2)
        broken.weights = nil
        let test = try TestService(models: [TestModel(), broken])
        defer { test.stop() }
        #expect(test.versions() == [1])
        #expect(try states(test).map(\.state) == ["READY", "UNAVAILABLE"])
    }

    @Test func keepsNoOtherModelFromTheStart() throws {
        var broken = try TestModel(name: "broken")
        broken.description = []
        let test = try TestService(models: [broken, TestModel()]) { $0.model = "lite" }
        defer { test.stop() }
        #expect(test.service.modelNames == ["lite"] && test.log.complaints == ["cannot load model"])
        #expect(try states(test, "broken").map(\.state) == ["UNAVAILABLE"])
        #expect(try test.metrics()["swiftlet_model_ready", model: "broken"] == 0)
        #expect(try test.classify(Upload.jpeg("420"), query: "?model=broken").status == 404)
    }

    /// Who names no model would otherwise be answered by another one.
    @Test func endsTheStartWhereItIsTheDefault() throws {
        var broken = try TestModel(name: "broken")
        broken.description = []
        let models = try [broken, TestModel()]
        #expect(throws: CheckpointError.self) { try TestService(models: models) }
        #expect(throws: CheckpointError.self) { try TestService(models: models) { $0.model = "broken" } }
    }

    @Test func aNamedVersionThatIsNotThereIsSaid() throws {
        let test = try TestService { $0.modelVersions = ["1", "7"] }
        defer { test.stop() }
        #expect(test.versions() == [1])
        let states = try states(test)
        #expect(states.map(\.state) == ["READY", "UNAVAILABLE"])
        #expect(states[1].reason == "model 'lite' has no version 7")
        try test.write(TestModel(version: 7))
        #expect(try test.change(.reload) == nil)
        #expect(test.versions() == [1, 7])
        try test.remove("lite/7")
        #expect(try test.change(.reload) != nil)
        #expect(test.versions() == [1])
    }

    /// Not one that the policy names can be loaded: what answers stays, even though its own files are gone.
    @Test func theLastGoodOneStays() throws {
        let test = try TestService()
        defer { test.stop() }
        var broken = try TestModel(version: 2)
        broken.labels = []
        try test.write(broken)
        try test.remove("lite/1")
        #expect(try test.change(.reload) != nil)
        #expect(test.versions() == [1])
        #expect(try test.classify(Upload.jpeg("420")).status == 200)
        try test.write(TestModel(version: 2))
        #expect(try test.change(.reload) == nil)
        #expect(test.versions() == [2])
    }
}
