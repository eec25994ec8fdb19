import Checkpoints
import FoundationEssentials
import Inference
import Tensors
import TestSupport
import Testing

@testable import swiftlet

/// `infer`, `bench` and `models`.
struct EngineCommandTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    @Test func inferReproducesPyTorch() throws {
        let golden = try Golden("lite-efficientnet-lite0-64")
        let (weights, input) = ("\(directory.path)/w.safetensors", "\(directory.path)/x.npy")
        try SyntheticCheckpoint(golden).checkpoint().write(to: weights)
        let array = SyntheticCheckpoint.input(size: 64)
        // Nine images: more than a batch.
        let repeated = NpyArray(
            (0..<9).flatMap { Array(array.values[(($0 % 2) * 3 * 64 * 64)...].prefix(3 * 64 * 64)) },
            shape: [9, 3, 64, 64])
        try repeated.write(to: input)
        func infer(_ output: String, _ flags: String...) throws -> NpyArray {
            let run = try CommandRun(
                [
                    "infer", "--weights", weights, "--architecture", "efficientnet_lite0", "--input", input, "--output",
                    "\(directory.path)/\(output)",
                ] + flags)
            #expect(run.status == 0 && run.errors.isEmpty && run.output.isEmpty, "\(run.errors)")
            return try NpyArray(path: "\(directory.path)/\(output)")
        }
        let logits = try infer("y.npy", "--threads", "1")
        #expect(logits.shape == [9, 1000])
        let bound = Float(max(1e-4, 30 * golden.float32Error))
        for image in 0..<9 {
            let expected = golden.logits[image % 2]
            let found = logits.values[(image * 1000)...].prefix(1000)
            let largest = expected.map(abs).max() ?? 0
            #expect(zip(found, expected).allSatisfy { abs($0 - $1) <= bound * largest }, "image \(image)")
        }
        #expect(try infer("y2.npy", "--threads", "3") == logits)
        #expect(try infer("f.npy", "--features").shape == [9, 1280])
    }

    @Test func inferSaysWhatIsWrongWithTheInput() throws {
        let golden = try Golden("lite-efficientnet-lite0-64")
        try SyntheticCheckpoint(golden).checkpoint().write(to: "\(directory.path)/w")
        try NpyArray([1, 2], shape: [1, 2]).write(to: "\(directory.path)/x")
        let run = try CommandRun(
            "infer", "--weights", "w", "--architecture", "efficientnet_lite0", "--input", "x", "--output", "y",
            directory: directory)
        #expect(run.status == 1 && run.errors.contains("[1, 2]") && run.errors.contains("[N, 3, height, width]"))
        #expect(try directory.contents() == ["w", "x"])
    }

    @Test(arguments: [1, 2]) func benchReportsWhatItMeasured(_ workers: Int) throws {
        struct Report: Decodable {
            let median_ms, mean_ms, p95_ms, p99_ms, images_per_second, gflops, peak_gflops: Double
            let isa: String
            let threads, workers, batch: Int
        }
        let run = try CommandRun(
            "bench", "--architecture", "Lite0", "--input-size", "32", "--seconds", "0.05", "--threads", "2",
            "--workers",
            "\(workers)", "--batch", "2", "--isa", "portable", "--format", "json")
        #expect(run.status == 0 && run.errors.isEmpty, "\(run.errors)")
        let report = try JSONDecoder().decode(Report.self, from: Data(run.output.utf8))
        #expect((report.threads, report.workers, report.batch, report.isa) == (2, workers, 2, "portable"))
        #expect(report.median_ms > 0 && report.median_ms <= report.p95_ms && report.p95_ms <= report.p99_ms)
        #expect(report.images_per_second > 0 && report.gflops > 0 && report.peak_gflops > 0)
    }

    @Test func quantilesAreNearestRanks() {
        let hundred = EngineBenchmark.Measurement(
            sortedSeconds: (1...100).map(Double.init), batchesPerSecond: 1, peakOperationsPerSecond: 1)
        #expect([0.5, 0.95, 0.99, 1].map(hundred.quantile) == [50, 95, 99, 100])
        #expect(hundred.mean == 50.5)
        let one = EngineBenchmark.Measurement(sortedSeconds: [3], batchesPerSecond: 1, peakOperationsPerSecond: 1)
        #expect([0, 0.5, 0.99].map(one.quantile) == [3, 3, 3])
    }

    @Test func modelsListsWhatIsThereAndNamesWhatIsBroken() throws {
        struct Report: Decodable {
            struct Model: Decodable {
                let name, architecture: String
                let version, input_size: Int
                let weights_bytes: Int?
            }
            let models: [Model]
        }
        let description = ModelDescription(
            architecture: "efficientnet_b0", dialect: .timm, inputSize: 64, resize: 70, filter: .bicubic,
            mean: [0.5, 0.5, 0.5], standardDeviation: [0.5, 0.5, 0.5])
        try directory.write(description.json, to: "models/good/2/model.json")
        let weightless = try CommandRun("models", "--format", "json", directory: directory)
        #expect(weightless.status == 1 && weightless.errors.contains("models/good/2/model.safetensors"))
        #expect(weightless.output.contains("good") && !weightless.output.contains("weights_bytes"))
        try directory.write([UInt8](repeating: 0, count: 12), to: "models/good/2/model.safetensors")
        let good = try CommandRun("models", "--format", "json", directory: directory)
        #expect(good.status == 0)
        try directory.write("{}".utf8, to: "models/broken/1/model.json")
        let run = try CommandRun("models", "--format", "json", directory: directory)
        #expect(run.status == 1 && run.errors.contains("models/broken/1/model.json"))
        #expect(run.output == good.output)
        let models = try JSONDecoder().decode(Report.self, from: Data(run.output.utf8)).models
        #expect(models.count == 1)
        #expect((models[0].name, models[0].version, models[0].input_size) == ("good", 2, 64))
        #expect(models[0].architecture == "efficientnet_b0" && models[0].weights_bytes == 12)
    }
}
