import Batching
import Checkpoints
import Dispatch
import HTTPServer
import Kernels
import Logging
import Parallelism
import Telemetry
import Transport

/// The whole service: models, workers, batchers and the HTTP server, from start to drain.
public final class ClassificationService: Sendable {
    public let settings: Settings
    let context: ServiceContext
    let models: LiveModels
    private let server: Server

    /// - Throws: `KernelError` where the forced instruction set is not this machine's; `SettingsError` where
    ///   `modelVersions` is no policy.
    public init(
        settings: Settings, build: BuildInformation, logger: Logger, clock: any Clock = MonotonicClock()
    ) throws {
        self.settings = settings
        let table = try settings.kernelTable()
        let metrics = ServiceMetrics(build: build, isa: table.isa)
        context = ServiceContext(settings: settings, metrics: metrics, clock: clock)
        models = try LiveModels(context, table: table, logger: logger)
        var router = Routes.router(context)
        Routes.addRepository(to: &router, models)
        var observer = ServerObserver()
        observer.requestStarted = { _ in metrics.requestStarted() }
        observer.requestFinished = { metrics.requestFinished($0, wasStarted: $1) }
        observer.rejected = { metrics.reject($0) }
        server = Server(
            configuration: ServerConfiguration(settings), router: router, clock: clock,
            observer: observer, logger: logger, errorBody: serviceErrorBody)
    }

    /// Listens, loads the models, and is ready. `/livez` answers and `/readyz` says that it is loading meanwhile.
    ///
    /// - Parameter repository: where the models lie.
    /// - Returns: the address it listens on.
    /// - Throws: `ServiceStartError` where it cannot listen or there is no model to load; for the default model,
    ///   `CheckpointError` or whatever else it cannot be loaded for. Another one that cannot be loaded is logged.
    public func start(repository: ModelRepository) throws -> SocketAddress {
        let address = try listen()
        try models.start(repository)
        context.becomeReady()
        return address
    }

    /// Loads what has changed in the repository and lets go of what is gone, without losing a request. Returns at once.
    public func reloadModels() { models.request(.reload) }

    private func listen() throws(ServiceStartError) -> SocketAddress {
        do throws(SocketError) { return try server.start() } catch {
            throw .cannotListen(host: settings.host, port: settings.port, error)
        }
    }

    /// Names of the loaded models, in order; empty before `start`.
    public var modelNames: [String] { context.catalogue.runners.keys.sorted() }

    /// Name of the model that answers when a request names none; nil before `start`.
    public var defaultModel: String? { context.catalogue.defaultModel }

    /// `/readyz` is 503 from here on, and answers close their connections; serving goes on.
    public func beginDrain() {
        context.beginDrain()
        models.close()
        server.beginDrain()
    }

    /// Takes what waits to be accepted, stops listening, answers every request that has begun, and stops the workers.
    ///
    /// - Parameter completion: called once, on any thread.
    public func finishDrain(_ completion: @escaping @Sendable (DrainReport) -> Void) {
        models.close()
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
