import EfficientNet
import TestSupport
import Testing

@testable import Checkpoints

struct ModelRepositoryTests {
    let directory: TemporaryDirectory
    let repository: ModelRepository

    init() throws {
        directory = try TemporaryDirectory()
        repository = ModelRepository(directory: directory.path)
    }

    func add(_ name: String, _ version: String) throws {
        try directory.write(
            ModelDescriptionTests.json(["labels": "\"labels.txt\""]), to: "\(name)/\(version)/model.json")
    }

    @Test func listsModelsByNameAndVersionNumber() throws {
        for (name, version) in [("b", "10"), ("b", "9"), ("a.x_1-Z", "1")] { try add(name, version) }
        try add(".being-copied", "1")
        try add("b/.being-copied", "11")
        try directory.write([], to: "README")
        #expect(
            try repository.entries().map { "\($0.name)/\($0.version)" } == ["a.x_1-Z/1", "b/9", "b/10"])
        #expect(try repository.model(named: "b").version == 10)
        #expect(try repository.model(named: "b", version: 9).weightsPath == "\(directory.path)/b/9/model.safetensors")
    }

    @Test func onlyModelsThatAreThereAreFound() throws {
        try add("b", "1")
        for name in ["", ".", "..", "b/1", "../b", "B", "/", "b/"] {
            #expect(throws: CheckpointError.unknownModel(name)) { try repository.model(named: name) }
        }
        #expect(throws: CheckpointError.unknownVersion(model: "b", version: 2)) {
            try repository.model(named: "b", version: 2)
        }
    }

    @Test(arguments: ["0", "01", "-1", "one", "99999999999999999999"]) func aVersionThatIsNoNumberIsPassedOverAndNamed(
        version: String
    ) throws {
        try add("b", version)
        try add("b", "7")
        let contents = try repository.contents()
        #expect(contents.entries.filter { $0.name == "b" }.map(\.version) == [7])
        let expected = "\(directory.path)/b/\(version) is passed over: a version is a positive whole number"
        #expect(contents.passedOver.contains(expected))
    }

    @Test func aModelWithoutVersionsOrWithAStrangeNameIsPassedOverAndNamed() throws {
        try directory.write([], to: "b/file")
        try directory.write([], to: "lost+found/1/model.json")
        try add("c", "1")
        let contents = try repository.contents()
        #expect(contents.entries.map(\.name) == ["c"])
        #expect(
            contents.passedOver == [
                "\(directory.path)/b is passed over: it has no version, such as 1/",
                "\(directory.path)/lost+found is passed over: a model's name is 1 to 128 letters, digits, '-', '_' and '.'",
            ])
    }

    @Test func aMissingRepositoryOrDescriptionIsNamed() throws {
        #expect(throws: CheckpointError.repository(path: "/nowhere", reason: "there is no such directory")) {
            try ModelRepository(directory: "/nowhere").entries()
        }
        try directory.write([], to: "b/1/model.safetensors")
        #expect(throws: CheckpointError.file(.cannotOpen(path: "\(directory.path)/b/1/model.json", code: 2))) {
            try repository.model(named: "b")
        }
    }

    @Test func labelsMustBeTextWithALineAClass() throws {
        try add("b", "1")
        let model = try repository.model(named: "b")
        let path = "\(directory.path)/b/1/labels.txt"
        #expect(throws: CheckpointError.file(.cannotOpen(path: path, code: 2))) { try model.labels(classCount: 2) }
        for text in ["é\nb\n", "é\nb", "é\r\nb\r\n"] {
            try directory.write(text.utf8, to: "b/1/labels.txt")
            #expect(try model.labels(classCount: 2) == ["é", "b"])
            #expect(throws: CheckpointError.labels(path: path, reason: "has 2 lines for 3 classes")) {
                try model.labels(classCount: 3)
            }
        }
        try directory.write([0xFF, 0x0A], to: "b/1/labels.txt")
        #expect(throws: CheckpointError.labels(path: path, reason: "is not UTF-8")) { try model.labels(classCount: 1) }
    }

    @Test func theDescriptionsPaddingAndEpsilonHold() throws {
        let architecture = try Architecture(named: "Lite0", dialect: .timm, classCount: 2)
        let changes = [
            "architecture": "\"efficientnet_lite0\"", "dialect": "\"timm\"", "padding": "\"same\"",
            "batch_norm_epsilon": "0.01",
        ]
        try directory.write(ModelDescriptionTests.json(changes), to: "b/1/model.json")
        try SyntheticCheckpoint(architecture, dialect: .timm, gain: 1).checkpoint()
            .write(to: "\(directory.path)/b/1/model.safetensors")
        let loaded = try repository.model(named: "b").checkpoint().architecture
        #expect(loaded.padding == .same && loaded.batchNormEpsilon == 0.01)
        try directory.write(
            ModelDescriptionTests.json(["architecture": "\"efficientnet_lite0\""]), to: "b/1/model.json")
        #expect(
            throws: CheckpointError.description(
                path: "\(directory.path)/b/1/model.json", key: "dialect",
                reason: "is torchvision, but the weights are in timm's")
        ) { try repository.model(named: "b").checkpoint() }
    }

    // MARK: One model alone

    static let description = ModelDescriptionTests.json(["labels": "\"labels.txt\""])

    @Test func aDirectoryThatIsAModelItselfIsItsVersion1() throws {
        try directory.write(Self.description, to: "model.json")
        let lone = ModelRepository(directory: directory.path, modelName: "flowers")
        #expect(try lone.entries() == [.init(name: "flowers", version: 1, directory: directory.path)])
        #expect(try lone.contents().passedOver == [])
        #expect(try lone.model(named: "flowers").weightsPath == "\(directory.path)/model.safetensors")
    }

    @Test func aDirectoryOfVersionsIsOneModel() throws {
        for path in ["2/model.json", "10/model.json", "model.json", "3/other", "extra/file"] {
            try directory.write(Self.description, to: path)
        }
        let lone = ModelRepository(directory: directory.path, modelName: "flowers")
        #expect(try lone.entries().map { "\($0.name)/\($0.version)" } == ["flowers/2", "flowers/10"])
    }

    @Test func aLoneModelIsCalledAsItsDirectoryWhereNobodySaysHow() throws {
        try directory.write(Self.description, to: "flowers/1/model.json")
        for path in ["\(directory.path)/flowers", "\(directory.path)/flowers/"] {
            #expect(try ModelRepository(directory: path).entries().map(\.name) == ["flowers"])
        }
    }

    @Test(arguments: ["a b", ".", ".hidden"]) func aLoneModelWithAStrangeNameIsAnError(name: String) throws {
        try directory.write(Self.description, to: "model.json")
        let lone = ModelRepository(directory: directory.path, modelName: name)
        #expect(throws: CheckpointError.self) { try lone.entries() }
    }

    @Test func aMisplacedDescriptionHidesNoModel() throws {
        try add("b", "1")
        for path in ["model.json", "4/model.json"] { try directory.write(Self.description, to: path) }
        let repository = ModelRepository(directory: directory.path, modelName: "b")
        #expect(try repository.entries().map { "\($0.name)/\($0.version)" } == ["b/1"])
    }
}
