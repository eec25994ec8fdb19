import Checkpoints
import EfficientNet
import FoundationEssentials
import TestSupport
import Testing

@testable import swiftlet

/// `quantize`, of a network with synthetic weights.
struct QuantizeCommandTests {
    static let pictures = ["420.jpg", "444.jpg", "grayscale.jpg", "progressive.jpg", "orientation-6.jpg"]
    static let source = "models/lite/1"

    let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
        let golden = try Golden("lite-efficientnet-lite0-64")
        let description = ModelDescription(
            architecture: "efficientnet_lite0", dialect: .efficientNetPyTorch, inputSize: 64, resize: 64,
            filter: .bicubic, mean: [0.5, 0.5, 0.5], standardDeviation: [0.5, 0.5, 0.5])
        try directory.write(description.json, to: "\(Self.source)/model.json")
        try SyntheticCheckpoint(golden).checkpoint().write(to: "\(directory.path)/\(Self.source)/model.safetensors")
        try directory.write("Made of noise.\n".utf8, to: "\(Self.source)/NOTICE")
        for name in Self.pictures { try directory.write(Fixtures.bytes("jpeg/\(name)"), to: "photos/\(name)") }
    }

    private func quantize(_ output: String, _ arguments: String...) throws -> CommandRun {
        try CommandRun(
            ["quantize", "--model", "lite", "--calibration", "photos", "--output", output] + arguments,
            directory: directory)
    }

    /// Every file below the directory, with its contents.
    private func files(_ name: String = "") throws -> [String: [UInt8]] {
        let start = "\(directory.path)/\(name)"
        var files: [String: [UInt8]] = [:]
        for path in try FileManager.default.subpathsOfDirectory(atPath: start) {
            let whole = "\(start)/\(path)"
            guard !ImageSource.isDirectory(whole) else { continue }
            files[path] = try Array(Data(contentsOf: URL(filePath: whole)))
        }
        return files
    }

    @Test func makesAModelThatAnswersAndReplacesItWithItself() throws {
        try directory.write("file\tclass\n420.jpg\t1\n444.jpg\t2\n".utf8, to: "photos/set.tsv")
        let first = try quantize("models/lite-int8/1/", "--evaluate", "photos/set.tsv")
        #expect(first.status == 0, "\(first.errors)")
        #expect(first.output.contains("blocks.3.project") && first.output.contains("classifier"))
        let made = try files("models/lite-int8")
        #expect(made.keys.sorted() == ["1/NOTICE", "1/model.json", "1/model.safetensors"])
        let notice = String(decoding: made["1/NOTICE"] ?? [], as: UTF8.self)
        #expect(notice.hasPrefix("Made of noise.\n") && notice.contains("calibrated on 5 pictures"))

        let answer = try CommandRun(
            "classify", "--model", "lite-int8", "--format", "json", "photos/420.jpg", directory: directory)
        #expect(answer.status == 0 && answer.output.contains("predictions"), "\(answer.errors)")

        // Through a link, which stays one.
        try FileManager.default.createSymbolicLink(
            atPath: "\(directory.path)/link", withDestinationPath: "models/lite-int8/1")
        let second = try quantize("link", "--images", "4")
        #expect(second.status == 0, "\(second.errors)")
        let replaced = try files("models/lite-int8")
        #expect(replaced.keys.sorted() == made.keys.sorted())
        #expect(replaced["1/model.safetensors"] != made["1/model.safetensors"])
        let third = try quantize("models/lite-int8/1")
        #expect(third.status == 0, "\(third.errors)")
        #expect(try files("models/lite-int8") == made)
        #expect(try directory.contents() == ["link", "models", "photos"])
    }

    /// What `--output` must not be, and what the error says of it.
    @Test(
        arguments: [
            ("models/lite/1", "holds the model that is to be quantised"),
            ("models/lite/../lite/1/", "holds the model that is to be quantised"),
            ("link", "holds the model that is to be quantised"),
            ("notes.txt", "no directory"), ("notes.txt/1", "Not a directory"), ("dangling", "cannot be read"),
            ("photos", "holds '420.jpg'"), ("models/other/1", "holds a model in fp32"), ("labels", "model.json"),
            ("", "cannot be read"),
        ]) func leavesAloneWhatIsNoModelInInt8(output: String, reason: String) throws
    {
        let manager = FileManager.default
        try directory.write("precious".utf8, to: "notes.txt")
        try directory.write("precious".utf8, to: "labels/labels.txt")
        try directory.write(files(Self.source)["model.json"] ?? [], to: "models/other/1/model.json")
        try directory.write("precious".utf8, to: "models/other/1/model.safetensors")
        for (link, target) in ["link": "models/lite/1", "dangling": "nowhere"] {
            try manager.createSymbolicLink(atPath: "\(directory.path)/\(link)", withDestinationPath: target)
        }
        let before = try files("models").merging(files("labels")) { $1 }
        let run = try quantize(output)
        #expect(run.status == 1 && run.errors.contains(reason), "\(run.status) \(run.errors)")
        #expect(run.output.isEmpty)
        #expect(try files("models").merging(files("labels")) { $1 } == before)
        let notes = try Data(contentsOf: URL(filePath: "\(directory.path)/notes.txt"))
        #expect(notes == Data("precious".utf8))
        #expect(try directory.contents() == ["dangling", "labels", "link", "models", "notes.txt", "photos"])
    }

    @Test func seesThatTheSourcesWeightsAreALinkIntoThePlace() throws {
        let weights = "\(directory.path)/\(Self.source)/model.safetensors"
        try FileManager.default.createDirectory(
            atPath: "\(directory.path)/store", withIntermediateDirectories: true)
        try FileManager.default.moveItem(atPath: weights, toPath: "\(directory.path)/store/model.safetensors")
        try FileManager.default.createSymbolicLink(
            atPath: weights, withDestinationPath: "../../../store/model.safetensors")
        let run = try quantize("store")
        #expect(run.status == 1 && run.errors.contains("holds the model that is to be quantised"), "\(run.errors)")
        #expect(try files("store").keys.sorted() == ["model.safetensors"])
    }
}
