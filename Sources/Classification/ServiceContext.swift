import Batching
import Dispatch
import Imaging
import Inference
import Parallelism
import Synchronization

/// What all requests share.
final class ServiceContext: Sendable {
    let settings: Settings
    let pool: WorkerPool
    let scratch: ThreadScratch
    let decoders: DecoderPool
    let jobs: OrderedJobs
    let decodes: LongDecodes
    let backlog = WorkBacklog()
    let metrics: ServiceMetrics
    let clock: any Clock
    /// Where metrics are rendered.
    let scrapes = DispatchQueue(label: "swiftlet.metrics", qos: .utility)
    private let readiness = Atomic(Readiness.loading)
    private let loaded = Lock(Catalogue())

    enum Readiness: UInt8, AtomicRepresentable {
        case loading, ready, draining
    }

    init(settings: Settings, metrics: ServiceMetrics, clock: any Clock = MonotonicClock()) {
        self.settings = settings
        self.metrics = metrics
        self.clock = clock
        // One job for each image that has a place, one that parses a request, and one for each batch.
        pool = WorkerPool(workerCount: settings.threadCount, jobCapacity: 2 * settings.maxQueueSize + 64)
        jobs = OrderedJobs(pool: pool)
        decodes = LongDecodes(
            jobs: jobs, workerCount: pool.workerCount, capacity: settings.maxQueueSize, clock: clock)
        scratch = ThreadScratch(slotCount: pool.slotCount)
        decoders = DecoderPool(count: pool.slotCount, limits: settings.imageLimits)
    }

    var catalogue: Catalogue { loaded.withLock { $0 } }

    func updateCatalogue(_ change: (inout Catalogue) -> Void) { loaded.withLock { change(&$0) } }

    var state: Readiness { readiness.load(ordering: .relaxed) }

    /// The models are there; a drain that has begun meanwhile goes on.
    func becomeReady() { _ = readiness.compareExchange(expected: .loading, desired: .ready, ordering: .relaxed) }

    func beginDrain() { readiness.store(.draining, ordering: .relaxed) }
}

/// The models that answer.
struct Catalogue: Sendable {
    /// By name, then by version in ascending order.
    private(set) var runners: [String: [ModelRunner]] = [:]
    private(set) var defaultModel: String?
    /// SHA-256 of the weights' file, by name and version; there once it has been computed.
    private var digests: [String: String] = [:]

    init() {}

    init(_ all: [ModelRunner], defaultModel: String) {
        for runner in all.sorted(by: { $0.model.version < $1.model.version }) {
            runners[runner.model.name, default: []].append(runner)
        }
        self.defaultModel = defaultModel
    }

    var all: [ModelRunner] { runners.keys.sorted().flatMap { runners[$0]! } }

    /// The model that a request means: the default without a name, the latest without a version.
    func runner(model name: String?, version: Int?) throws(ServiceFailure) -> ModelRunner {
        let versions = try versions(of: name)
        guard let version else { return versions.last! }
        guard let runner = versions.first(where: { $0.model.version == version }) else {
            throw .unknownVersion(model: versions[0].model.name, version: version)
        }
        return runner
    }

    /// The versions of a model, or of the default without a name, in ascending order; never empty.
    func versions(of name: String?) throws(ServiceFailure) -> [ModelRunner] {
        guard let defaultModel else { throw .notReady(reason: "no model is loaded yet") }
        guard let versions = runners[name ?? defaultModel] else { throw .unknownModel(name: name ?? defaultModel) }
        return versions
    }

    func digest(of model: ClassifierModel) -> String? { digests["\(model.name)/\(model.version)"] }

    mutating func setDigest(_ digest: String, of model: ClassifierModel) {
        digests["\(model.name)/\(model.version)"] = digest
    }
}

/// A decoder for each thread of the pool, found by the thread's slot.
final class DecoderPool: Sendable {
    private final class Box: @unchecked Sendable {  // a slot is held by one thread at a time
        var decoder: ImageDecoder

        init(limits: ImageLimits) { decoder = ImageDecoder(limits: limits) }
    }

    private let boxes: [Box]

    init(count: Int, limits: ImageLimits) { boxes = (0..<count).map { _ in Box(limits: limits) } }

    /// - Precondition: called on one of the pool's workers.
    func prepare(
        _ image: UploadedImage, _ preprocessing: Preprocessing, pool: WorkerPool
    ) throws(ImageError) -> PreparedImage {
        guard let slot = pool.currentSlot else { preconditionFailure("decoding outside of the pool") }
        return try image.withBytes { (bytes) throws(ImageError) in
            try boxes[slot].decoder.prepare(bytes, preprocessing)
        }
    }
}
