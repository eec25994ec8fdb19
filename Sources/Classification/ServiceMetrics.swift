import Batching
import HTTPServer
import Parallelism
import Telemetry
import Transport

/// The metric families of the service, and the handles that the hot path counts with.
final class ServiceMetrics: Sendable {
    let registry = Registry()
    let build: BuildInformation

    /// Every route with the codes that it can give: their series exist, at zero, from the start.
    static let routes: [(label: String, codes: [Int])] = {
        let anywhere = [400, 405, 408, 413, 414, 417, 431, 500, 501, 505]
        let inference = [200, 204, 401, 403, 404, 415, 422, 499, 503, 504] + anywhere
        return [
            (Routes.page, [200, 204, 304] + anywhere),
            (Routes.classify, inference),
            (Routes.embed, inference),
            (Routes.models, [200, 204, 401, 403] + anywhere),
            (Routes.model, [200, 204, 401, 403, 404, 503] + anywhere),
            (Routes.live, [200, 204] + anywhere),
            (Routes.ready, [200, 204, 503] + anywhere),
            (Routes.metrics, [200, 204, 499, 503] + anywhere),
            (Routes.description, [200, 204, 304, 499] + anywhere),
            (V2Routes.server, [200, 204, 401, 403] + anywhere),
            (V2Routes.live, [200, 204] + anywhere),
            (V2Routes.ready, [200, 204, 503] + anywhere),
            (V2Routes.model, [200, 204, 401, 403, 404, 503] + anywhere),
            (V2Routes.modelReady, [200, 204, 401, 403, 404, 503] + anywhere),
            (V2Routes.config, [200, 204, 401, 403, 404, 503] + anywhere),
            (V2Routes.statistics, [200, 204, 401, 403, 404, 503] + anywhere),
            (V2Routes.allStatistics, [200, 204, 401, 403] + anywhere),
            (V2Routes.infer, inference),
            (Routes.batches, [200, 204, 401, 403] + anywhere),
            (Routes.repositoryIndex, [200, 204, 401, 403, 499, 503] + anywhere),
            (Routes.loadModel, [200, 204, 401, 403, 404, 422, 499, 503] + anywhere),
            (Routes.unloadModel, [200, 204, 401, 403, 404, 499, 503] + anywhere),
            (Routes.any, [204]),
            (Routes.unmatched, [404] + anywhere),
        ]
    }()

    /// The codes that a route can give; none where there is no such route.
    static func codes(of label: String) -> [Int] { routes.first { $0.label == label }?.codes ?? [] }

    /// Whose stages are counted.
    private static let inferenceRoutes: Set<String> = [Routes.classify, Routes.embed, V2Routes.infer]

    static let stages = ["read", "decode", "resize", "queue", "compute", "encode"]

    private let requests: [String: [Int: Counter]]
    private let requestFamily: Family<Counter>
    private let durations: [String: Histogram]
    private let durationFamily: Family<Histogram>
    private let stageDurations: [String: Histogram]
    private let rejections: [RejectionReason: Counter]
    private let rejected: @Sendable (RejectionReason) -> Void
    private let inflight: Gauge
    private let handshakes: [HandshakeResult: Counter]
    let batchSize: Family<Histogram>
    let queueDepth: Family<Gauge>
    let images: Family<Counter>
    let flushes: Family<Counter>
    let loadSeconds: Family<Gauge>
    let topProbability: Family<Histogram>
    /// Of a model's versions that answer or were to, 1 or 0.
    let ready: Family<Gauge>
    let loadFailures: Family<Counter>
    let lostLines: Counter
    let lostAccessLines: Counter
    let traces: TraceMetrics

    /// - Parameter rejected: told of each refusal. Called on event loops and workers: must not block.
    init(
        build: BuildInformation, isa: String, rejected: @escaping @Sendable (RejectionReason) -> Void = { _ in }
    ) {
        self.build = build
        self.rejected = rejected
        let requestFamily = registry.counter(
            "swiftlet_requests_total", "Requests answered, by route and status code.", labels: ["route", "code"])
        let durationFamily = registry.histogram(
            "swiftlet_request_duration_seconds", "From a request's first byte to its answer.", labels: ["route"])
        self.requestFamily = requestFamily
        self.durationFamily = durationFamily
        requests = Dictionary(
            uniqueKeysWithValues: Self.routes.map { route in
                (
                    route.label,
                    Dictionary(
                        uniqueKeysWithValues: route.codes.sorted().map {
                            ($0, requestFamily.with(route.label, String($0)))
                        })
                )
            })
        durations = Dictionary(uniqueKeysWithValues: Self.routes.map { ($0.label, durationFamily.with($0.label)) })
        let stageFamily = registry.histogram(
            "swiftlet_stage_duration_seconds", "Time in each stage of an inference.", labels: ["stage"])
        stageDurations = Dictionary(uniqueKeysWithValues: Self.stages.map { ($0, stageFamily.with($0)) })
        inflight = registry.gauge("swiftlet_inflight_requests", "Requests read and not yet answered.").with()
        let rejectionFamily = registry.counter(
            "swiftlet_rejected_total", "Requests and images refused or given up, by reason.", labels: ["reason"])
        rejections = Dictionary(
            uniqueKeysWithValues: RejectionReason.allCases.map { ($0, rejectionFamily.with($0.rawValue)) })
        let handshakeFamily = registry.counter(
            "swiftlet_tls_handshakes_total", "TLS handshakes, by how they ended.", labels: ["result"])
        handshakes = Dictionary(
            uniqueKeysWithValues: HandshakeResult.allCases.map { ($0, handshakeFamily.with($0.rawValue)) })
        let model = ["model", "version"]
        batchSize = registry.histogram(
            "swiftlet_batch_size", "Images in a batch.", labels: model, bounds: Histogram.batchSizeBounds)
        queueDepth = registry.gauge("swiftlet_queue_depth", "Images that have a place in the queue.", labels: model)
        images = registry.counter("swiftlet_images_total", "Images classified.", labels: model)
        flushes = registry.counter(
            "swiftlet_batch_flush_total", "Batches run, by why they were not left to grow.", labels: model + ["reason"])
        loadSeconds = registry.gauge(
            "swiftlet_model_load_seconds", "What it took to load the model.", labels: model)
        topProbability = registry.histogram(
            "swiftlet_top1_probability", "Probability of the first class.", labels: model,
            bounds: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1])
        ready = registry.gauge(
            "swiftlet_model_ready", "Whether the version answers: 0 where it could not be loaded.", labels: model)
        loadFailures = registry.counter(
            "swiftlet_model_load_failures_total", "Attempts to load a version that failed.", labels: ["model"])
        let lostLines = registry.counter(
            "swiftlet_log_lines_lost_total", "Lines that could not be written, by the log that lacks them.",
            labels: ["log"])
        self.lostLines = lostLines.with("application")
        lostAccessLines = lostLines.with("access")
        traces = TraceMetrics(registry)
        registry.gauge("swiftlet_build_info", "What is running.", labels: ["version", "revision", "isa"])
            .with(build.version, build.revision, isa).set(1)
        registry.add(ProcessMetrics())
        registry.add(CPUQuotaMetrics())
    }

    func requestStarted() { inflight.add(1) }

    /// - Parameter trace: one that leads somewhere, for the bucket that counts the request.
    func requestFinished(_ record: RequestRecord, wasStarted: Bool, trace: TraceContext? = nil) {
        if wasStarted { inflight.add(-1) }
        (requests[record.route]?[record.status] ?? requestFamily.with(record.route, String(record.status))).increment()
        let duration = durations[record.route] ?? durationFamily.with(record.route)
        if let trace {
            duration.observe(
                Exemplar(
                    traceID: trace.traceID, spanID: trace.spanID, value: record.seconds,
                    unixSeconds: WallTime.now.seconds))
        } else {
            duration.observe(record.seconds)
        }
        guard Self.inferenceRoutes.contains(record.route) else { return }
        for stage in record.stages { stageDurations[stage.name]?.observe(stage.seconds) }
    }

    func handshakeFinished(_ result: HandshakeResult) { handshakes[result]!.increment() }

    /// Tells for each scrape when the certificate in force expires.
    func watch(_ credentials: TLSCredentials) {
        registry.gauge(
            "swiftlet_tls_certificate_expiry_timestamp_seconds", "When the certificate in force expires, since 1970."
        ).with { Double(credentials.current.validUntil) }
    }

    func watch(_ pool: WorkerPool) {
        let count = Double(pool.workerCount)
        registry.gauge("swiftlet_compute_threads", "Threads that decode and compute.").with().set(count)
    }

    func reject(_ reason: RejectionReason) {
        rejections[reason]!.increment()
        rejected(reason)
    }

    func reject(_ failure: ServiceFailure) {
        if let reason = failure.presentation.reason { reject(reason) }
    }

    /// What the server itself refused.
    func reject(_ rejection: ServerRejection) {
        if let reason = RejectionReason(rawValue: rejection.reason) { reject(reason) }
    }
}

/// The handles of one model's metrics.
struct ModelMetrics: Sendable {
    let batchSize: Histogram
    let images: Counter
    let topProbability: Histogram
    let loadSeconds: Gauge

    init(_ metrics: ServiceMetrics, model: String, version: String) {
        batchSize = metrics.batchSize.with(model, version)
        images = metrics.images.with(model, version)
        topProbability = metrics.topProbability.with(model, version)
        loadSeconds = metrics.loadSeconds.with(model, version)
    }
}

extension ServiceMetrics {
    /// Takes the series of a version that has let go of its memory off the page, as they would be counted no more.
    func remove(model: String, version: String) {
        batchSize.remove(model, version)
        queueDepth.remove(model, version)
        images.remove(model, version)
        topProbability.remove(model, version)
        loadSeconds.remove(model, version)
        for reason in FlushReason.allCases { flushes.remove(model, version, reason.rawValue) }
    }
}

/// What is running, for `--version` and `/metrics`.
public struct BuildInformation: Sendable, Equatable {
    public let version: String
    /// The commit, or `unknown`.
    public let revision: String

    public init(version: String, revision: String) {
        self.version = version
        self.revision = revision
    }
}
