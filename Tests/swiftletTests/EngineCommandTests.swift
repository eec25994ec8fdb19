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

    @Test func inferOfAModelIsInferOfItsWeightsOnNormalisedPixels() throws {
        let golden = try Golden("lite-efficientnet-lite0-64")
        let (mean, deviation): ([Float], [Float]) = ([0.5, 0.25, 0.75], [0.5, 0.25, 0.125])
        let description = ModelDescription(
            architecture: "efficientnet_lite0", dialect: .efficientNetPyTorch, inputSize: 64, resize: 64,
            filter: .bicubic, mean: mean, standardDeviation: deviation)
        try directory.write(description.json, to: "models/lite/1/model.json")
        let weights = "models/lite/1/model.safetensors"
        try SyntheticCheckpoint(golden).checkpoint().write(to: "\(directory.path)/\(weights)")
        var random = SplitMix64(seed: 7)
        let pixels = (0..<2 * 64 * 64 * 3).map { _ in Float(UInt8.random(in: 0...255, using: &random)) }
        try NpyArray(pixels, shape: [2, 64, 64, 3]).write(to: "\(directory.path)/pixels.npy")
        let planar = (0..<pixels.count).map { index in
            let (image, channel, place) = (index / (3 * 64 * 64), index / (64 * 64) % 3, index % (64 * 64))
            return (pixels[(image * 64 * 64 + place) * 3 + channel] / 255 - mean[channel]) / deviation[channel]
        }
        try NpyArray(planar, shape: [2, 3, 64, 64]).write(to: "\(directory.path)/planar.npy")
        func infer(_ arguments: String...) throws -> NpyArray {
            let run = try CommandRun(["infer"] + arguments + ["--output", "y.npy"], directory: directory)
            #expect(run.status == 0 && run.errors.isEmpty, "\(run.errors)")
            return try NpyArray(path: "\(directory.path)/y.npy")
        }
        let found = try infer("--model", "lite", "--input", "pixels.npy")
        let expected = try infer(
            "--weights", weights, "--architecture", "efficientnet_lite0", "--input", "planar.npy")
        #expect(found.shape == [2, 1000] && expected.shape == [2, 1000])
        let largest = expected.values.map(abs).max() ?? 0
        #expect(zip(found.values, expected.values).allSatisfy { abs($0 - $1) <= 1e-4 * largest })
        #expect(found.values[..<1000] != found.values[1000...])

        func errors(_ array: NpyArray) throws -> String {
            try array.write(to: "\(directory.path)/wrong.npy")
            let run = try CommandRun("infer", "--input", "wrong.npy", "--output", "z.npy", directory: directory)
            #expect(run.status == 1)
            return run.errors
        }
        #expect(try errors(NpyArray(planar, shape: [2, 3, 64, 64])).contains("[N, 64, 64, 3]"))
        let oneOff = pixels.dropLast() + [0.5]
        #expect(try errors(NpyArray(Array(oneOff), shape: [2, 64, 64, 3])).contains("0.5"))
        #expect(try !directory.contents().contains("z.npy"))
    }

    @Test(arguments: [["--precision", "int8"], ["--input-size", "32"]])
    func benchRefusesWhatOnlyAVariantHas(arguments: [String]) throws {
        let run = try CommandRun(["bench"] + arguments)
        #expect(run.status == 64 && run.output.isEmpty)
        #expect(run.errors.contains("\(arguments[0]) needs --architecture"))
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

    @Test(arguments: ["Lite0", "B0", "V2-S"]) func benchProfilesEveryBlock(_ name: String) throws {
        struct Report: Decodable {
            struct Block: Decodable {
                let name, limit: String
                let milliseconds, gflops, megabytes, share: Double
                let parts: [Part]
            }
            struct Part: Decodable {
                let name: String
                let milliseconds: Double
            }
            let milliseconds, gflops, peak_gflops: Double
            let blocks: [Block]
        }
        let run = try CommandRun(
            "bench", "--architecture", name, "--input-size", "64", "--seconds", "0.05", "--threads", "1", "--profile",
            "--format", "json")
        #expect(run.status == 0 && run.errors.isEmpty, "\(run.errors)")
        let report = try JSONDecoder().decode(Report.self, from: Data(run.output.utf8))
        #expect(report.blocks.first?.name == "image 64×64" && report.blocks.last?.name.hasPrefix("classifier ") == true)
        for block in report.blocks {
            #expect(block.milliseconds > 0 && block.megabytes > 0 && block.share > 0, "\(block.name)")
            #expect(["fma", "memory"].contains(block.limit))
            // On one thread parts are what a block consists of.
            let parts = block.parts.map(\.milliseconds).reduce(0, +)
            #expect(parts > 0 && parts <= block.milliseconds, "\(block.name)")
        }
        #expect(report.blocks.dropFirst().allSatisfy { $0.gflops > 0 })
        let sum = report.blocks.map(\.milliseconds).reduce(0, +)
        #expect(abs(sum - report.milliseconds) < 1e-6 * sum)
    }

    @Test func benchTimesTheTilesOfEveryProduct() throws {
        struct Report: Decodable {
            struct Product: Decodable {
                let rows, depth, columns: Int
                let share: Double
                let candidates: [Candidate]
            }
            struct Candidate: Decodable {
                let is_picked: Bool
                let microseconds: Double
            }
            let products: [Product]
            let gain: Double
        }
        let run = try CommandRun(
            "bench", "--architecture", "Lite0", "--input-size", "32", "--seconds", "0.05", "--kernels", "--format",
            "json")
        #expect(run.status == 0 && run.errors.isEmpty, "\(run.errors)")
        let report = try JSONDecoder().decode(Report.self, from: Data(run.output.utf8))
        #expect(abs(report.products.map(\.share).reduce(0, +) - 1) < 1e-9)
        #expect(report.gain >= 0 && report.gain < 1)
        for product in report.products {
            #expect(product.candidates.filter(\.is_picked).count == 1)
            #expect(product.candidates.count > 3 && product.candidates.allSatisfy { $0.microseconds > 0 })
        }
        #expect(report.products.last.map { [$0.rows, $0.depth, $0.columns] } == [1, 1280, 1000])
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
