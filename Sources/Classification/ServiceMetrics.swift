import HTTPServer
import Telemetry

/// The metric families of the service, and the handles that the hot path counts with.
final class ServiceMetrics: Sendable {
    let registry = Registry()

    /// Every route with the codes that it can give: their series exist, at zero, from the start.
    private static let routes: [(label: String, codes: [Int])] = {
        let anywhere = [400, 405, 408, 413, 414, 417, 431, 500, 501, 505]
        return [
            (Routes.classify, [200, 204, 404, 415, 422, 499, 503, 504] + anywhere),
            (Routes.models, [200, 204] + anywhere),
            (Routes.model, [200, 204, 404, 503] + anywhere),
            (Routes.live, [200, 204] + anywhere),
            (Routes.ready, [200, 204, 503] + anywhere),
            (Routes.metrics, [200, 204, 499, 503] + anywhere),
            (Routes.any, [204]),
            (Routes.unmatched, [404] + anywhere),
        ]
    }()

    static let stages = ["read", "decode", "resize", "queue", "compute", "encode"]

    private let requests: [String: [Int: Counter]]
    private let requestFamily: Family<Counter>
    private let durations: [String: Histogram]
    private let durationFamily: Family<Histogram>
    private let stageDurations: [String: Histogram]
    private let rejections: [RejectionReason: Counter]
    private let inflight: Gauge
    let batchSize: Family<Histogram>
    let queueDepth: Family<Gauge>
    let images: Family<Counter>
    let flushes: Family<Counter>
    let loadSeconds: Family<Gauge>
    let topProbability: Family<Histogram>
    let lostLines: Counter

    init(build: BuildInformation, isa: String) {
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
            "swiftlet_stage_duration_seconds", "Time in each stage of a classification.", labels: ["stage"])
        stageDurations = Dictionary(uniqueKeysWithValues: Self.stages.map { ($0, stageFamily.with($0)) })
        inflight = registry.gauge("swiftlet_inflight_requests", "Requests read and not yet answered.").with()
        let rejectionFamily = registry.counter(
            "swiftlet_rejected_total", "Requests and images refused or given up, by reason.", labels: ["reason"])
        rejections = Dictionary(
            uniqueKeysWithValues: RejectionReason.allCases.map { ($0, rejectionFamily.with($0.rawValue)) })
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
        lostLines = registry.counter(
            "swiftlet_log_lines_lost_total", "Lines of the log that could not be written."
        ).with()
        registry.gauge("swiftlet_build_info", "What is running.", labels: ["version", "revision", "isa"])
            .with(build.version, build.revision, isa).set(1)
        registry.add(ProcessMetrics())
    }

    func requestStarted() { inflight.add(1) }

    func requestFinished(_ record: RequestRecord, wasStarted: Bool) {
        if wasStarted { inflight.add(-1) }
        (requests[record.route]?[record.status] ?? requestFamily.with(record.route, String(record.status))).increment()
        (durations[record.route] ?? durationFamily.with(record.route)).observe(record.seconds)
        guard record.route == Routes.classify else { return }
        for stage in record.stages { stageDurations[stage.name]?.observe(stage.seconds) }
    }

    func reject(_ reason: RejectionReason) { rejections[reason]!.increment() }

    func reject(_ failure: ServiceFailure) {
        if let reason = failure.presentation.reason { reject(reason) }
    }

    /// What the server itself refused.
    func reject(_ rejection: ServerRejection) {
        switch rejection {
        case .disconnected: reject(RejectionReason.disconnected)
        case .malformed(let error) where error.status == .contentTooLarge: reject(RejectionReason.tooLarge)
        case .tooManyBytesHeld: reject(RejectionReason.queueFull)
        case .malformed, .headTimeout, .bodyTimeout: break
        }
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
