import ArgumentParser
import Checkpoints
import Classification
import EfficientNet
import Inference
import Parallelism
import Tensors

struct InferCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "infer",
        abstract: "Runs tensors through a checkpoint or a model of the repository, without decoding images.",
        discussion: """
            Reads and writes NumPy arrays of float32. Out come logits [N, classes], or the pooled features before \
            the classifier.

            Of a checkpoint, the input is [N, 3, height, width], normalised already; N, height and width may be any. \
            A model of the repository, fp32 or int8, gets what the service gives it: pixels of the model's size, \
            [N, height, width, 3], whole numbers from 0 to 255.

              swiftlet infer --weights b0.safetensors --architecture efficientnet_b0 \\
                --input x.npy --output y.npy
              swiftlet infer --model efficientnet-lite0 --input pixels.npy --output y.npy
            """)

    @Option(help: ArgumentHelp("A safetensors file with torchvision's, timm's or EfficientNet-PyTorch's names."))
    var weights: String?
    @Option(help: ArgumentHelp("The weights', as torchvision or timm call it: efficientnet_b0.", valueName: "name"))
    var architecture: String?
    @Option(help: ArgumentHelp("The array to read.", valueName: "npy")) var input: String
    @Option(help: ArgumentHelp("The array to write.", valueName: "npy")) var output: String
    @Flag(help: "Write the pooled features before the classifier instead of logits.") var features = false
    @OptionGroup(title: "Model") var model: ModelOptions
    @OptionGroup(title: "Compute") var compute: ComputeOptions
    @OptionGroup var configuration: ConfigurationOptions

    func validate() throws {
        guard (weights == nil) == (architecture == nil) else {
            throw ValidationError("--weights and --architecture go together.")
        }
        guard let architecture else { return }
        guard model.flags.isEmpty else { throw ValidationError("--weights take the place of a model's.") }
        do throws(ArchitectureError) { _ = try Architecture(named: architecture) } catch {
            throw ValidationError("\(error).")
        }
    }

    func run() throws {
        let settings = try configuration.settings(model, compute)
        let input = try NpyArray(path: input)
        let results =
            if let weights, let architecture {
                try runCheckpoint(weights, architecture, on: input, settings: settings)
            } else { try runModel(on: input, settings: settings) }
        try results.write(to: output)
    }

    private func runCheckpoint(
        _ weights: String, _ architecture: String, on images: NpyArray, settings: Settings
    ) throws -> NpyArray {
        guard images.shape.rank == 4, images.shape[1] == 3 else {
            throw InferFailure.wrongShape(
                path: input, found: images.shape.dimensions, expected: "[N, 3, height, width]")
        }
        let plan = try Plan(
            graph: Graph(Checkpoint.load(weights, architectureName: architecture)), table: settings.kernelTable(),
            inputHeight: images.shape[2], inputWidth: images.shape[3])
        return images.values.withUnsafeBufferPointer { values in
            run(images.shape[0], plan: plan, settings: settings) { .planar(values.baseAddress! + $0) }
        }
    }

    private func runModel(on images: NpyArray, settings: Settings) throws -> NpyArray {
        let plan = try settings.loadModel().plan
        guard images.shape.rank == 4, Array(images.shape.dimensions[1...]) == [plan.inputHeight, plan.inputWidth, 3]
        else {
            throw InferFailure.wrongShape(
                path: input, found: images.shape.dimensions,
                expected: "[N, \(plan.inputHeight), \(plan.inputWidth), 3]")
        }
        let pixels = try images.values.map { value throws(InferFailure) in
            guard let pixel = UInt8(exactly: value) else { throw .notAPixel(path: input, found: value) }
            return pixel
        }
        return pixels.withUnsafeBufferPointer { pixels in
            run(images.shape[0], plan: plan, settings: settings) { .rgb(pixels.baseAddress! + $0) }
        }
    }

    /// Runs `count` images; `image` gives the one that begins at an element of the input.
    private func run(
        _ count: Int, plan: Plan, settings: Settings, image: (_ firstElement: Int) -> UnsafeInput
    ) -> NpyArray {
        let imageSize = 3 * plan.inputHeight * plan.inputWidth
        let width = features ? plan.featureCount : plan.classCount
        let pool = WorkerPool(workerCount: settings.threadCount)
        defer { pool.shutdown() }
        let scratch = ThreadScratch(slotCount: pool.slotCount)
        var session = Session(plan: plan, capacity: max(1, min(settings.maxBatchSize, count)))
        var results: [Float] = []
        results.reserveCapacity(count * width)
        for first in stride(from: 0, to: count, by: session.capacity) {
            let inputs = (first..<min(first + session.capacity, count)).map { image($0 * imageSize) }
            pool.withScope { session.run(inputs, in: $0, scratch: scratch) }
            for index in inputs.indices {
                results += features ? session.features(of: index) : session.logits(of: index)
            }
        }
        return NpyArray(results, shape: [count, width])
    }
}

enum InferFailure: Error, Equatable, CustomStringConvertible {
    case wrongShape(path: String, found: [Int], expected: String)
    case notAPixel(path: String, found: Float)

    var description: String {
        switch self {
        case .wrongShape(let path, let found, let expected): "\(path) has the shape \(found), but must have \(expected)"
        case .notAPixel(let path, let found): "\(path) has \(found) in it, which is no whole number from 0 to 255"
        }
    }
}
