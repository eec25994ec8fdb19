import Batching
import Checkpoints
import Inference
import Kernels
import Parallelism
import Telemetry
import Tensors

/// Makes runners of what lies in the repository.
struct ModelLoader: Sendable {
    /// A runner that is ready to answer, and the bytes that its weights were made of.
    struct Loaded {
        let runner: ModelRunner
        let weights: MappedFile
        let seconds: Double
    }

    let context: ServiceContext
    let table: KernelTable
    /// Told of each model when its memory is free, on any thread. Must not block.
    let farewell: @Sendable (_ name: String, _ version: Int) -> Void

    /// Reads a version's files, makes them a model and warms that up. It does not answer yet.
    ///
    /// The files are read, not mapped: what happens to them meanwhile or later is an error or has no effect.
    /// - Throws: `CheckpointError`, `InferenceError`, `ModelLoadError`.
    func load(_ entry: ModelRepository.Entry) throws -> Loaded {
        let start = context.clock.now()
        // Before anything is read: what is written from here on is a difference.
        let files = DirectoryState(of: entry.directory)
        let stored = try StoredModel(entry)
        let weights = try stored.readWeights()
        let model = try ClassifierModel(stored, weights: weights, table: table) { [farewell] in
            farewell(entry.name, entry.version)
        }
        let runner = runner(model, files)
        let warmUp = runner.warmUp(in: context.pool, scratch: context.scratch, clock: context.clock)
        guard warmUp.isFinite else { throw ModelLoadError.resultNotFinite(directory: entry.directory) }
        // Beside requests it says how busy the workers are, and not how fast.
        if context.state == .loading {
            runner.batcher.assume(nanosecondsPerElement: warmUp.computeNanoseconds)
        }
        let seconds = context.clock.now().seconds(since: start)
        return Loaded(runner: runner, weights: weights, seconds: seconds)
    }

    /// A runner that is not warmed up.
    func runner(_ model: ClassifierModel, _ files: DirectoryState) -> ModelRunner {
        let (settings, metrics, version) = (context.settings, context.metrics, String(model.version))
        return ModelRunner(
            model: model, files: files,
            configuration: BatcherConfiguration(
                maxBatchSize: settings.maxBatchSize, maxQueueSize: settings.maxQueueSize,
                maxQueueDelayMicroseconds: settings.maxQueueDelayMicroseconds,
                maxQueueWaitMilliseconds: settings.maxQueueWaitMilliseconds, workerCount: context.pool.workerCount),
            pool: context.pool, scratch: context.scratch,
            metrics: ModelMetrics(metrics, model: model.name, version: version),
            flushes: { metrics.flushes.with(model.name, version, $0.rawValue) }, backlog: context.backlog,
            clock: context.clock)
    }
}

/// Why a model does not answer although all of its files can be read.
enum ModelLoadError: Error, Equatable, CustomStringConvertible {
    case resultNotFinite(directory: String)

    var description: String {
        switch self {
        case .resultNotFinite(let directory): "\(directory): the result for a picture of all values is not finite"
        }
    }
}
