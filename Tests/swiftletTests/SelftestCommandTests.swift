import FoundationEssentials
import TestSupport
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

struct SelftestCommandTests {
    struct Report: Decodable {
        struct Model: Decodable {
            struct Image: Decodable {
                var name, expected, found: String
                var is_right: Bool
                var decode_ms, compute_ms: Double
            }
            struct Check: Decodable {
                var name: String
                var pictures, failures: Int
            }
            var model: String
            var has_golden, is_right: Bool
            var images: [Image]
            var checks: [Check]
            var faults: [String]
        }
        var models: [Model]
    }

    private static let models = Fixtures.repositoryRoot + "/models"
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func report(_ run: CommandRun) throws -> Report { try decodeJSON(Report.self, Array(run.output.utf8)) }

    /// A copy of the model in int8, which is small.
    private func copyModel(as model: String = "m") throws {
        let source = "\(Self.models)/efficientnet-lite0-int8/1"
        for name in try FileManager.default.contentsOfDirectory(atPath: source) {
            try directory.write(
                Array(Data(contentsOf: URL(filePath: "\(source)/\(name)"))), to: "models/\(model)/1/\(name)")
        }
    }

    private func golden() throws -> String {
        String(
            decoding: try Data(contentsOf: URL(filePath: "\(directory.path)/models/m/1/selftest.json")), as: UTF8.self)
    }

    @Test func theBundledModelsAreRight() throws {
        let run = try CommandRun("selftest", "--models", Self.models, "--format", "json")
        #expect(run.status == 0, "\(run.errors) \(run.output)")
        let models = try report(run).models
        #expect(models.map(\.model) == ["efficientnet-lite0", "efficientnet-lite0-int8"])
        for model in models {
            #expect(model.is_right && model.has_golden && model.faults.isEmpty)
            #expect(model.images.map(\.name) == ["cat.jpg", "cat.png", "cat.webp"])
            #expect(
                model.images.allSatisfy {
                    $0.is_right && $0.found.hasSuffix("cat") && $0.decode_ms > 0 && $0.compute_ms > 0
                })
            #expect(model.checks.count == 4 && model.checks.allSatisfy { $0.failures == 0 && $0.pictures == 7 })
        }
        let table = try CommandRun("selftest", "--models", Self.models, "--model", "efficientnet-lite0-int8")
        #expect(table.status == 0 && !table.output.contains("WRONG"))
        #expect(table.output.split(separator: "\n").count == 9, "\(table.output)")
    }

    @Test func aModelThatSaysSomethingElseFails() throws {
        try copyModel()
        let text = try golden()
        let logit = try #require(text.firstRange(of: "\"logit\" : "))
        let changed = String(text[..<logit.upperBound]) + "1" + String(text[logit.upperBound...])
        try directory.write(changed.utf8, to: "models/m/1/selftest.json")
        let run = try CommandRun("selftest", "--format", "json", directory: directory)
        #expect(run.status == 1, "\(run.errors)")
        let model = try #require(try report(run).models.first)
        #expect(!model.is_right && model.images.map(\.is_right) == [false, true, true])
    }

    @Test func filesOfOtherWeightsAreSaidToBe() throws {
        try copyModel()
        let text = try golden()
        let digest = try #require(text.firstRange(of: "\"weights_sha256\" : \""))
        let rest = text[digest.upperBound...].dropFirst()
        let changed = String(text[..<digest.upperBound]) + "_" + String(rest)
        try directory.write(changed.utf8, to: "models/m/1/selftest.json")
        let run = try CommandRun("selftest", directory: directory)
        #expect(run.status == 1 && run.output.contains("WRONG  selftest.json is of other weights"))
    }

    @Test func aModelWithoutAFileIsHeldToItself() throws {
        try copyModel()
        try FileManager.default.removeItem(atPath: "\(directory.path)/models/m/1/selftest.json")
        let run = try CommandRun("selftest", directory: directory)
        #expect(run.status == 0 && run.output.contains("There is no selftest.json"))
        #expect(run.output.contains("right  logits are finite: 4 pictures"))
        // And gets one.
        try directory.write(Fixtures.bytes("jpeg/420.jpg"), to: "a.jpg")
        let record = try CommandRun("selftest", "--model", "m", "--record", "a.jpg", directory: directory)
        #expect(record.status == 0 && record.output.hasPrefix("a.jpg: "), "\(record.errors)")
        let again = try CommandRun("selftest", "--format", "json", directory: directory)
        let model = try #require(try report(again).models.first)
        #expect(again.status == 0 && model.has_golden && model.images.map(\.name) == ["a.jpg"])
    }

    /// All weights are zero: every picture gets the same logits, and they are finite.
    @Test func aModelThatDoesNotLookFails() throws {
        let source = "\(Self.models)/efficientnet-lite0/1"
        for name in ["model.json", "labels.txt"] {
            try directory.write(Array(Data(contentsOf: URL(filePath: "\(source)/\(name)"))), to: "models/m/1/\(name)")
        }
        var weights = Array(try Data(contentsOf: URL(filePath: "\(source)/model.safetensors")))
        let header = weights[..<8].reversed().reduce(0) { $0 << 8 | Int($1) }
        for index in (8 + header)..<weights.count { weights[index] = 0 }
        try directory.write(weights, to: "models/m/1/model.safetensors")
        let run = try CommandRun("selftest", directory: directory)
        #expect(run.status == 1, "\(run.errors) \(run.output)")
        #expect(run.output.contains("WRONG  logits follow the picture: not so of 4 of 4 pictures"), "\(run.output)")
        #expect(run.output.contains("right  logits are finite: 4 pictures"))
    }

    /// The setting says which model answers where a request names none; the service loads the others, too.
    @Test func theDefaultModelIsNotTheOnlyOneHeldToItsFile() throws {
        try copyModel()
        try copyModel(as: "other")
        try directory.write(#"{"model": "m"}"#.utf8, to: "config.json")
        let byFile = try CommandRun("selftest", "--format", "json", directory: directory)
        #expect(try report(byFile).models.map(\.model) == ["m", "other"])
        let byVariable = try CommandRun(
            "selftest", "--format", "json", environment: ["SWIFTLET_MODEL": "m"], directory: directory)
        #expect(try report(byVariable).models.map(\.model) == ["m", "other"])
        let byFlag = try CommandRun("selftest", "--format", "json", "--model", "m", directory: directory)
        #expect(try report(byFlag).models.map(\.model) == ["m"])
    }

    private static func file(named name: String, count: Int = 1, predictions: String = #"{"index":0,"logit":1}"#)
        -> String
    {
        let image = #"{"name": "\#(name)", "b64": "", "predictions": [\#(predictions)]}"#
        let images = Array(repeating: image, count: count).joined(separator: ",")
        return #"{"weights_sha256": "", "images": [\#(images)]}"#
    }

    @Test(
        arguments: [
            "", "{}", file(named: "a", count: 0), file(named: "a", predictions: ""), file(named: "a", count: 33),
            file(named: String(repeating: "a", count: 257)), file(named: #"a\u001b[2J"#), file(named: #"a\u2028b"#),
        ])
    func aFileThatCannotBeReadIsNamed(text: String) throws {
        try copyModel()
        try directory.write(text.utf8, to: "models/m/1/selftest.json")
        let run = try CommandRun("selftest", directory: directory)
        #expect(run.status == 1 && run.errors.contains("models/m/1/selftest.json"), "\(run.errors)")
    }

    @Test func aPipeInItsPlaceIsNotWaitedFor() throws {
        try copyModel()
        let path = "\(directory.path)/models/m/1/selftest.json"
        try FileManager.default.removeItem(atPath: path)
        #expect(mkfifo(path, 0o600) == 0)
        let run = try CommandRun("selftest", directory: directory)
        #expect(run.status == 1 && run.errors.contains("is not a regular file"), "\(run.errors)")
    }
}
