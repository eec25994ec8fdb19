import Batching
import Checkpoints
import Dispatch
import HTTPServer
import Inference
import Kernels
import Logging
import Parallelism
import Telemetry
import Transport

/// The whole service: models, workers, batchers and the HTTP server, from start to drain.
public final class ClassificationService: Sendable {
    public let settings: Settings
    let context: ServiceContext
    private let server: Server
    private let logger: Logger
    private let table: KernelTable

    /// - Throws: `KernelError` where the forced instruction set is not this machine's.
    public init(
        settings: Settings, build: BuildInformation, logger: Logger, clock: any Clock = MonotonicClock()
    ) throws {
        self.settings = settings
        self.logger = logger
        table = try settings.kernelTable()
        let metrics = ServiceMetrics(build: build, isa: table.isa)
        context = ServiceContext(settings: settings, metrics: metrics, clock: clock)
        var observer = ServerObserver()
        observer.requestStarted = { _ in metrics.requestStarted() }
        observer.requestFinished = { metrics.requestFinished($0, wasStarted: $1) }
        observer.rejected = { metrics.reject($0) }
        server = Server(
            configuration: ServerConfiguration(settings), router: Routes.router(context), clock: clock,
            observer: observer, logger: logger, errorBody: serviceErrorBody)
    }

    /// Listens, loads the models, and is ready. `/livez` answers and `/readyz` says that it is loading meanwhile.
    ///
    /// - Parameter repository: where the models lie.
    /// - Returns: the address it listens on.
    /// - Throws: `ServiceStartError` where it cannot listen or there is no model to load; `CheckpointError` or
    ///   `InferenceError` where one cannot be loaded.
    public func start(repository: ModelRepository) throws -> SocketAddress {
        let address = try listen()
        let models = try chosenModels(repository)
        let runners = try models.map(load)
        let defaultModel = settings.model.isEmpty ? runners[0].model.name : settings.model
        context.updateCatalogue { $0 = Catalogue(runners, defaultModel: defaultModel) }
        context.becomeReady()
        // The digest is no reason to be late.
        DispatchQueue.global(qos: .utility).async { [self] in computeDigests(of: runners.map(\.model)) }
        return address
    }

    private func listen() throws(ServiceStartError) -> SocketAddress {
        do throws(SocketError) { return try server.start() } catch {
            throw .cannotListen(host: settings.host, port: settings.port, error)
        }
    }

    private func chosenModels(_ repository: ModelRepository) throws -> [StoredModel] {
        let contents = try repository.contents()
        for stray in contents.passedOver { logger.warning("\(stray)") }
        let entries = contents.entries
        guard !entries.isEmpty else { throw ServiceStartError.noModels(directory: repository.directory) }
        let names = Set(entries.map(\.name))
        for name in settings.loadModels + (settings.model.isEmpty ? [] : [settings.model])
        where !names.contains(name) {
            throw CheckpointError.unknownModel(name)
        }
        if !settings.model.isEmpty, !settings.loadModels.isEmpty, !settings.loadModels.contains(settings.model) {
            throw ServiceStartError.defaultNotLoaded(settings.model)
        }
        return try entries.filter { settings.loadModels.isEmpty || settings.loadModels.contains($0.name) }
            .map { try StoredModel($0) }
    }

    private func load(_ stored: StoredModel) throws -> ModelRunner {
        let clock = context.clock
        let start = clock.now()
        let model = try ClassifierModel(stored, table: table)
        let version = String(model.version)
        let metrics = context.metrics
        let modelMetrics = ModelMetrics(metrics, model: model.name, version: version)
        let runner = ModelRunner(
            model: model,
            configuration: BatcherConfiguration(
                maxBatchSize: settings.maxBatchSize, maxQueueSize: settings.maxQueueSize,
                maxQueueDelayMicroseconds: settings.maxQueueDelayMicroseconds,
                maxQueueWaitMilliseconds: settings.maxQueueWaitMilliseconds, workerCount: context.pool.workerCount),
            pool: context.pool, scratch: context.scratch, metrics: modelMetrics,
            flushes: { metrics.flushes.with(model.name, version, $0.rawValue) }, backlog: context.backlog, clock: clock)
        metrics.queueDepth.with(model.name, version) { [weak runner] in Double(runner?.batcher.placesInUse ?? 0) }
        let seconds = clock.now().seconds(since: start)
        modelMetrics.loadSeconds.set(seconds)
        logger.info(
            "loaded model",
            metadata: [
                "model": "\(model.name)", "version": "\(version)", "architecture": "\(model.plan.architecture.name)",
                "milliseconds": "\(Int((seconds * 1000).rounded()))",
            ])
        return runner
    }

    private func computeDigests(of models: [ClassifierModel]) {
        for model in models {
            do {
                let digest = try model.weightsDigest()
                context.updateCatalogue { $0.setDigest(digest, of: model) }
            } catch {
                logger.error(
                    "cannot read the weights again", metadata: ["model": "\(model.name)", "error": "\(error)"])
            }
        }
    }

    /// Names of the loaded models, in order; empty before `start`.
    public var modelNames: [String] { context.catalogue.runners.keys.sorted() }

    /// Name of the model that answers when a request names none; nil before `start`.
    public var defaultModel: String? { context.catalogue.defaultModel }

    /// `/readyz` is 503 from here on, and answers close their connections; serving goes on.
    public func beginDrain() {
        context.beginDrain()
        server.beginDrain()
    }

    /// Takes what waits to be accepted, stops listening, answers every request that has begun, and stops the workers.
    ///
    /// - Parameter completion: called once, on any thread.
    public func finishDrain(_ completion: @escaping @Sendable (DrainReport) -> Void) {
        for runner in context.catalogue.all { runner.batcher.drain() }
        server.finishDrain { [context] report in
            DispatchQueue.global().async {
                context.pool.shutdown()
                completion(report)
            }
        }
    }
}

/// Why the service does not start, beside what sockets and checkpoints say.
public enum ServiceStartError: Error, Equatable, Sendable, CustomStringConvertible {
    case cannotListen(host: String, port: Int, SocketError)
    case noModels(directory: String)
    case defaultNotLoaded(String)

    public var description: String {
        switch self {
        case .cannotListen(let host, let port, let error): "cannot listen on \(host), port \(port): \(error)"
        case .noModels(let directory): "no model lies in \(directory)"
        case .defaultNotLoaded(let name): "the default model '\(name)' is not among loadModels"
        }
    }
}

extension ServerConfiguration {
    init(_ settings: Settings) {
        self.init()
        host = settings.host
        port = settings.port
        backlog = settings.backlog
        maximumHeldBytes = settings.maxHeldBytes
        uncountedRoutes = [Routes.live, Routes.ready, Routes.metrics]
        maximumConnections = settings.maxConnections
        parser.maximumTargetBytes = settings.maxTargetBytes
        parser.maximumHeadBytes = settings.maxHeaderBytes
        parser.maximumBodyBytes = settings.maxBodyBytes
        timeouts.headNanoseconds = Int64(settings.headerTimeoutSeconds) * 1_000_000_000
        timeouts.bodyNanoseconds = Int64(settings.bodyTimeoutSeconds) * 1_000_000_000
        timeouts.idleNanoseconds = Int64(settings.idleTimeoutSeconds) * 1_000_000_000
        timeouts.writeStallNanoseconds = Int64(settings.writeTimeoutSeconds) * 1_000_000_000
    }
}
