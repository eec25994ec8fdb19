import Checkpoints
import TestSupport
import Testing

@testable import Classification

/// What keeps a service from starting, named by its file.
struct ServiceStartTests {
    private func failure(
        _ models: [TestModel], _ change: (inout Settings) -> Void = { _ in }
    ) throws -> (error: any Error, directory: String) {
        let directory = try TemporaryDirectory()
        try directory.write([], to: "models/.keep")
        for model in models { try model.write(to: directory) }
        let service = try TestService.make(RecordingLog(), change)
        defer { service.stop() }
        let repository = ModelRepository(directory: "\(directory.path)/models")
        let error = try #require(throws: (any Error).self) { try service.start(repository: repository) }
        #expect(service.modelNames == [] && service.defaultModel == nil)
        return (error, repository.directory)
    }

    @Test func warnsWhereBodiesMayBeLongerThanWhatIsHeld() throws {
        for (held, count) in [(1000, 0), (999, 1)] {
            let log = RecordingLog()
            let service = try TestService.make(log) { ($0.maxBodyBytes, $0.maxHeldBytes) = (1000, held) }
            #expect(log.complaints.count { $0.hasPrefix("maxHeldBytes is less than maxBodyBytes") } == count)
            withExtendedLifetime(service) {}
        }
    }

    @Test func refusesAnEmptyRepository() throws {
        let (error, directory) = try failure([])
        #expect(error as? ServiceStartError == .noModels(directory: directory))
        #expect("\(error)".contains(directory))
    }

    @Test func refusesABrokenDescription() throws {
        var model = try TestModel()
        model.description = Array("{\"architecture\": ".utf8)
        let (error, directory) = try failure([model])
        guard case .description(let path, nil, _)? = error as? CheckpointError else {
            Issue.record("\(error)")
            return
        }
        #expect(path == "\(directory)/lite/1/model.json")
    }

    @Test func refusesTruncatedWeights() throws {
        var model = try TestModel()
        model.weights = model.weights?.dropLast(4)
        let (error, directory) = try failure([model])
        guard case .safetensors(let path, _)? = error as? CheckpointError else {
            Issue.record("\(error)")
            return
        }
        #expect(path == "\(directory)/lite/1/model.safetensors")
        #expect("\(error)".contains(path))
    }

    @Test func refusesMissingWeights() throws {
        var model = try TestModel()
        model.weights = nil
        let (error, directory) = try failure([model])
        guard case .file? = error as? CheckpointError else {
            Issue.record("\(error)")
            return
        }
        #expect("\(error)".contains("\(directory)/lite/1/model.safetensors"))
    }

    @Test func refusesLabelsOfOtherClasses() throws {
        var model = try TestModel()
        model.labels.removeLast()
        let (error, directory) = try failure([model])
        #expect(
            error as? CheckpointError
                == .labels(path: "\(directory)/lite/1/labels.txt", reason: "has 9 lines for 10 classes"))
    }

    @Test func refusesModelsThatAreNotThere() throws {
        let model = try TestModel()
        #expect(try failure([model]) { $0.model = "other" }.error as? CheckpointError == .unknownModel("other"))
        #expect(
            try failure([model]) { $0.loadModels = ["lite", "more"] }.error as? CheckpointError
                == .unknownModel("more"))
        let other = try TestModel(name: "other")
        #expect(
            try failure([model, other]) {
                $0.model = "other"
                $0.loadModels = ["lite"]
            }.error as? ServiceStartError == .defaultNotLoaded("other"))
    }
}
