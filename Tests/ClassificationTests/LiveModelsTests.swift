import Checkpoints
import TestSupport
import Testing

@testable import Classification

/// What is loaded after each change of the repository.
struct LiveModelsTests {
    private static func versions(_ numbers: [Int], name: String = "lite") throws -> [TestModel] {
        try numbers.map { try TestModel(name: name, version: $0) }
    }

    @Test(
        arguments: [
            (["latest:1"], [4]), (["latest:2"], [3, 4]), (["all"], [1, 3, 4]), (["1", "3"], [1, 3]),
            (["1", "lite=all"], [1, 3, 4]), (["all", "other=1"], [1, 3, 4]), ([], [4]),
        ])
    func loadsWhatThePolicyNames(policies: [String], loaded: [Int]) throws {
        let test = try TestService(models: Self.versions([1, 3, 4])) { $0.modelVersions = policies }
        defer { test.stop() }
        #expect(test.versions() == loaded)
        for version in [1, 3, 4] {
            let status = try test.classify(Upload.jpeg("420"), query: "?version=\(version)").status
            #expect(status == (loaded.contains(version) ? 200 : 404))
        }
        let stranger = "modelVersions names 'other', and no model is called so; there is lite"
        #expect(test.log.complaints == (policies.contains("other=1") ? [stranger] : []))
    }

    @Test func takesUpANewVersionAndLetsTheOldOneGo() throws {
        let test = try TestService()
        defer { test.stop() }
        try test.write(TestModel(version: 2))
        #expect(try test.change(.reload) == nil)
        #expect(test.versions() == [2])
        let response = try test.classify(Upload.jpeg("420"))
        #expect(try response.decoded(ClassifyAnswer.self).version == "2" && response["x-model-version"] == "2")
        try test.remove("lite/2")
        #expect(try test.change(.reload) == nil)
        #expect(test.versions() == [1])
    }

    /// By what the files are, not by their version's number.
    @Test func takesUpFilesThatHaveChanged() throws {
        let test = try TestService()
        defer { test.stop() }
        let before = try test.classify(Upload.jpeg("420")).text
        let runner = ObjectIdentifier(test.service.context.catalogue.all[0])
        #expect(try test.change(.reload) == nil)
        #expect(ObjectIdentifier(test.service.context.catalogue.all[0]) == runner)
        try test.write(TestModel().retrained())
        #expect(try test.change(.reload) == nil)
        #expect(test.versions() == [1])
        #expect(try test.classify(Upload.jpeg("420")).text != before)
    }

    @Test func takesUpNewModelsAndForgetsThoseThatAreGone() throws {
        let test = try TestService()
        defer { test.stop() }
        try test.write(TestModel(name: "more"))
        #expect(try test.change(.reload) == nil)
        #expect(test.service.modelNames == ["lite", "more"] && test.service.defaultModel == "lite")
        try test.remove("more")
        #expect(try test.change(.reload) == nil)
        #expect(test.service.modelNames == ["lite"])
        #expect(try test.exchange("GET", "/v1/models/more").status == 404)
        #expect(try test.metrics()["swiftlet_model_load_failures_total{model=\"more\"}"] == nil)
    }

    @Test func keepsToTheModelsThatItIsToLoad() throws {
        let test = try TestService(models: [TestModel(), TestModel(name: "other")]) { $0.loadModels = ["lite"] }
        defer { test.stop() }
        #expect(try test.change(.reload) == nil)
        #expect(test.service.modelNames == ["lite"])
        // Somebody wants it none the less; no reload takes it away again.
        #expect(try test.change(.load("other")) == nil)
        #expect(try test.change(.reload) == nil)
        #expect(test.service.modelNames == ["lite", "other"])
        #expect(try test.change(.unload("other")) == nil)
        #expect(try test.change(.reload) == nil)
        #expect(test.service.modelNames == ["lite"])
    }

    /// As a file system that is not mounted.
    @Test func keepsWhatItHasWhereTheRepositoryIsGone() throws {
        let test = try TestService()
        defer { test.stop() }
        try test.remove("lite")
        guard case .loadFailed(let reason)? = try test.change(.reload) else {
            Issue.record("reloaded")
            return
        }
        #expect(reason.contains("no model lies in \(test.directory.path)/models any more"))
        try test.remove("")
        for _ in 0..<3 { #expect(try test.change(.look) != nil) }
        #expect(try test.classify(Upload.jpeg("420")).status == 200)
        // Once for each thing that is wrong, not for each look.
        #expect(test.log.complaints.count == 2)
    }

    @Test func refusesRequestsWithoutAModelWhenTheDefaultIsUnloaded() throws {
        let test = try TestService(models: [TestModel(), TestModel(name: "other")])
        defer { test.stop() }
        #expect(try test.change(.unload("lite")) == nil)
        let refused = try test.classify(Upload.jpeg("420"))
        #expect(refused.status == 404)
        #expect(
            try refused.decoded(Problem.self).detail
                == "the request names no model, and the default 'lite' is not loaded")
        let named = try test.classify(Upload.jpeg("420"), query: "?model=lite")
        #expect(try named.decoded(Problem.self).detail == "model 'lite' is not loaded")
        #expect(try test.classify(Upload.jpeg("420"), query: "?model=other").status == 200)
        #expect(try test.exchange("GET", "/readyz").status == 200)
        #expect(try test.change(.load("lite")) == nil)
        #expect(try test.classify(Upload.jpeg("420")).status == 200)
    }

    @Test func loadsWhatAWatchHasSeenTwice() throws {
        let test = try TestService { $0.modelPollSeconds = 86_400 }
        defer { test.stop() }
        #expect(try test.change(.look) == nil)
        // Half of a copy, that lies still for longer than the watch waits.
        var model = try TestModel(version: 2)
        let weights = try #require(model.weights)
        model.weights = Array(weights[..<(weights.count / 2)])
        try test.write(model)
        #expect(try test.change(.look) == nil)
        #expect(test.versions() == [1] && test.log.complaints == [])
        #expect(try test.change(.look) == nil)
        #expect(test.versions() == [1] && test.log.complaints == ["cannot load model"])
        // Not again and again.
        #expect(try test.change(.look) == nil)
        #expect(test.log.complaints.count == 1)
        model.weights = weights
        try test.write(model)
        #expect(try test.change(.look) == nil)
        #expect(test.versions() == [1])
        #expect(try test.change(.look) == nil)
        #expect(test.versions() == [2])
        try test.remove("lite/2")
        #expect(try test.change(.look) == nil)
        #expect(test.versions() == [2])
        #expect(try test.change(.look) == nil)
        #expect(test.versions() == [1])
    }

    @Test func aWatchLeavesAloneWhatWasUnloaded() throws {
        let test = try TestService(models: [TestModel(), TestModel(name: "other")])
        defer { test.stop() }
        #expect(try test.change(.unload("other")) == nil)
        try test.write(TestModel(name: "other").retrained())
        for _ in 0..<3 { #expect(try test.change(.look) == nil) }
        #expect(test.service.modelNames == ["lite"])
    }

    @Test func loadsNothingWhileItDrains() throws {
        let test = try TestService()
        test.service.beginDrain()
        #expect(try test.change(.load("lite")) == .draining)
        #expect(try test.repository("models/lite/load").status == 503)
        #expect(try test.classify(Upload.jpeg("420")).status == 200)
        test.stop()
    }
}
