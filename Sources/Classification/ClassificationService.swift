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
    private let credentials: Credentials
    private let watch: RequestWatch

    /// - Throws: `KernelError` where the forced instruction set is not this machine's; `TLSError`, `APIKeysError` or
    ///   `ServiceStartError` where certificates and keys cannot be used; `SettingsError` where `modelVersions` is no
    ///   policy; `LogFileError` where the access log cannot be written.
    public init(
        settings: Settings, build: BuildInformation, logger: Logger, clock: any Clock = MonotonicClock()
    ) throws {
        self.settings = settings
        let table = try settings.kernelTable()
        if settings.maxHeldBytes < settings.maxBodyBytes {
            logger.warning(
                "maxHeldBytes is less than maxBodyBytes, and longer bodies than that are refused",
                metadata: [
                    "max_held_bytes": .stringConvertible(settings.maxHeldBytes),
                    "max_body_bytes": .stringConvertible(settings.maxBodyBytes),
                ])
        }
        let overload = OverloadWarning(logger: logger)
        let metrics = ServiceMetrics(build: build, isa: table.isa) { overload.refused($0) }
        context = ServiceContext(settings: settings, metrics: metrics, clock: clock)
        credentials = try Credentials(settings, logger: logger)
        if let tls = credentials.tls { metrics.watch(tls) }
        metrics.watch(context.pool)
        models = try LiveModels(context, table: table, logger: logger)
        var observer = ServerObserver()
        observer.requestStarted = { _ in metrics.requestStarted() }
        let configuration = ServerConfiguration(settings)
        let watch = try RequestWatch(
            settings, metrics: metrics, untracedRoutes: configuration.uncountedRoutes, logger: logger, clock: clock)
        self.watch = watch
        observer.requestFinished = { watch.finished($0, wasStarted: $1) }
        observer.rejected = { metrics.reject($0) }
        observer.handshakeFinished = { metrics.handshakeFinished($0) }
        server = Server(
            configuration: configuration, listeners: Self.listeners(context, models, credentials),
            clock: clock,
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

    private func listen() throws(ServiceStartError) -> SocketAddress {
        do throws(ListenError) { return try server.start() } catch { throw .cannotListen(error) }
    }

    private static func listeners(
        _ context: ServiceContext, _ models: LiveModels, _ credentials: Credentials
    ) -> [Listener] {
        let settings = context.settings
        let policy = AccessPolicy(keys: credentials.keys, isAdminAddress: false)
        let main = Listener(
            host: settings.host, port: settings.port, router: Routes.router(context, models, policy),
            tls: credentials.tls,
            authorizer: policy.decide, crossOrigin: settings.crossOriginPolicy,
            trustedProxies: settings.proxies, maximumConnections: settings.maxConnections)
        guard let address = ListenAddress(settings.adminAddress) else { return [main] }
        let adminPolicy = AccessPolicy(keys: credentials.keys, isAdminAddress: true)
        return [
            main,
            Listener(
                host: address.host, port: address.port, router: Routes.adminRouter(context, models, adminPolicy),
                tls: settings.adminTls == "on" ? credentials.tls : nil, authorizer: adminPolicy.decide,
                trustedProxies: settings.proxies,
                maximumConnections: maximumAdminConnections),
        ]
    }

    /// Scrapers, probes and operators; a limit of their own, lest the main port's clients keep them out.
    static let maximumAdminConnections = 256

    /// Where the service and, if there is one, its administration are; nil where they do not listen.
    public var url: String? { server.addresses.first.map { "\(credentials.tls == nil ? "http" : "https")://\($0)" } }
    public var adminURL: String? {
        let addresses = server.addresses
        guard addresses.count == 2 else { return nil }
        return "\(settings.adminTls == "on" ? "https" : "http")://\(addresses[1])"
    }

    /// Reads certificates and keys again, for connections that come from here on. What is broken leaves the old in
    /// force, and is logged.
    public func reloadCredentials() { credentials.reload() }

    /// Has logs go on in new files where the old ones have been renamed.
    public func reopenLogs() { watch.reopenFiles() }

    /// Has the access log tell of the requests that a drain has not come to answer, then writes and sends what there is to
    /// tell of all, for four seconds at the most.
    ///
    /// - Returns: how many requests are lost; nil where not every event loop has told within a second.
    func loseRequests() -> Int? {
        let (told, lost) = (DispatchSemaphore(value: 0), Lock(Int?.none))
        server.loseRequests { count in
            lost.withLock { $0 = count }
            told.signal()
        }
        _ = told.wait(timeout: .now() + 1)
        watch.finish()
        return lost.withLock { $0 }
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

    /// Takes what waits to be accepted, stops listening, answers every request that has begun, stops the workers, and
    /// writes and sends what there is to tell of the requests, for three seconds at the most.
    ///
    /// - Parameter completion: called once, on any thread.
    public func finishDrain(_ completion: @escaping @Sendable (DrainReport) -> Void) {
        models.close()
        for runner in context.catalogue.all { runner.batcher.drain() }
        server.finishDrain { [context, watch] report in
            DispatchQueue.global().async {
                context.pool.shutdown()
                watch.finish()
                completion(report)
            }
        }
    }
}

/// Why the service does not start, beside what sockets and checkpoints say.
public enum ServiceStartError: Error, Equatable, Sendable, CustomStringConvertible {
    case cannotListen(ListenError)
    case noModels(directory: String)
    case defaultNotLoaded(String)
    /// Settings that make sense alone, but not together.
    case conflictingSettings(String)

    public var description: String {
        switch self {
        case .cannotListen(let error): error.description
        case .noModels(let directory): "no model lies in \(directory)"
        case .defaultNotLoaded(let name): "the default model '\(name)' is not among loadModels"
        case .conflictingSettings(let reason): reason
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
        uncountedRoutes = [Routes.live, Routes.ready, Routes.metrics, V2Routes.live, V2Routes.ready]
        maximumConnections = settings.maxConnections
        parser.maximumTargetBytes = settings.maxTargetBytes
        parser.maximumHeadBytes = settings.maxHeaderBytes
        parser.maximumBodyBytes = settings.maxBodyBytes
        timeouts.handshakeNanoseconds = Int64(settings.tlsHandshakeTimeoutSeconds) * 1_000_000_000
        timeouts.headNanoseconds = Int64(settings.headerTimeoutSeconds) * 1_000_000_000
        timeouts.bodyNanoseconds = Int64(settings.bodyTimeoutSeconds) * 1_000_000_000
        timeouts.idleNanoseconds = Int64(settings.idleTimeoutSeconds) * 1_000_000_000
        timeouts.writeStallNanoseconds = Int64(settings.writeTimeoutSeconds) * 1_000_000_000
    }
}
