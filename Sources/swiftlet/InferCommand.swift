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
        abstract: "Runs tensors through a checkpoint, without images, labels or a repository.",
        discussion: """
            Reads NumPy arrays of float32, [N, 3, height, width] and normalised already, and writes logits \
            [N, classes], or the pooled features before the classifier. N, height and width may be any.

              swiftlet infer --weights b0.safetensors --architecture efficientnet_b0 --input x.npy --output y.npy
            """)

    @Option(help: ArgumentHelp("A safetensors file with torchvision's, timm's or EfficientNet-PyTorch's names."))
    var weights: String
    @Option(help: ArgumentHelp("As torchvision or timm call it, such as efficientnet_b0.", valueName: "name"))
    var architecture: String
    @Option(help: ArgumentHelp("The array to read.", valueName: "npy")) var input: String
    @Option(help: ArgumentHelp("The array to write.", valueName: "npy")) var output: String
    @Flag(help: "Write the pooled features before the classifier instead of logits.") var features = false
    @OptionGroup(title: "Compute") var compute: ComputeOptions
    @OptionGroup var configuration: ConfigurationOptions

    func validate() throws {
        do throws(ArchitectureError) { _ = try Architecture(named: architecture) } catch {
            throw ValidationError("\(error).")
        }
    }

    func run() throws {
        let settings = try configuration.settings(compute)
        let images = try NpyArray(path: input)
        guard images.shape.rank == 4, images.shape[1] == 3 else {
            throw InferFailure.wrongShape(path: input, found: images.shape.dimensions)
        }
        let plan = try Plan(
            graph: Graph(Checkpoint.load(weights, architectureName: architecture)), table: settings.kernelTable(),
            inputHeight: images.shape[2], inputWidth: images.shape[3])
        try run(images, plan: plan, settings: settings).write(to: output)
    }

    private func run(_ images: NpyArray, plan: Plan, settings: Settings) -> NpyArray {
        let count = images.shape[0]
        let imageSize = 3 * plan.inputHeight * plan.inputWidth
        let width = features ? plan.featureCount : plan.classCount
        let pool = WorkerPool(workerCount: settings.threadCount)
        defer { pool.shutdown() }
        let scratch = ThreadScratch(slotCount: pool.slotCount)
        var session = Session(plan: plan, capacity: max(1, min(settings.maxBatchSize, count)))
        var results: [Float] = []
        results.reserveCapacity(count * width)
        images.values.withUnsafeBufferPointer { values in
            for first in stride(from: 0, to: count, by: session.capacity) {
                let inputs = (first..<min(first + session.capacity, count)).map {
                    UnsafeInput.planar(values.baseAddress! + $0 * imageSize)
                }
                pool.withScope { session.run(inputs, in: $0, scratch: scratch) }
                for index in inputs.indices {
                    results += features ? session.features(of: index) : session.logits(of: index)
                }
            }
        }
        return NpyArray(results, shape: [count, width])
    }
}

enum InferFailure: Error, Equatable, CustomStringConvertible {
    case wrongShape(path: String, found: [Int])

    var description: String {
        switch self {
        case .wrongShape(let path, let found): "\(path) has the shape \(found), but must have [N, 3, height, width]"
        }
    }
}
