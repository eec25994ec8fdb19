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
    /// Whether answers are to have an `InferenceNote`.
    let keepsNotes: Bool
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
        keepsNotes = settings.watchesRequests
        // One job for each image that has a place, one that parses a request, and one for each batch.
        pool = WorkerPool(workerCount: settings.threadCount, jobCapacity: 2 * settings.maxQueueSize + 64)
        jobs = OrderedJobs(pool: pool)
        decodes = LongDecodes(
            jobs: jobs, workerCount: pool.workerCount, capacity: settings.maxQueueSize,
            maxWaitNanoseconds: settings.maxQueueWaitMilliseconds > 0
                ? Int64(settings.maxQueueWaitMilliseconds) * 1_000_000 : .max, clock: clock)
        scratch = ThreadScratch(slotCount: pool.slotCount)
        decoders = DecoderPool(count: pool.slotCount, limits: settings.imageLimits)
    }

    var catalogue: Catalogue { loaded.withLock { $0 } }

    @discardableResult
    func updateCatalogue<Result>(_ change: (inout Catalogue) -> Result) -> Result { loaded.withLock { change(&$0) } }

    var state: Readiness { readiness.load(ordering: .relaxed) }

    /// The models are there; a drain that has begun meanwhile goes on.
    func becomeReady() { _ = readiness.compareExchange(expected: .loading, desired: .ready, ordering: .relaxed) }

    func beginDrain() { readiness.store(.draining, ordering: .relaxed) }
}

extension ServiceContext {
    /// Makes of an image what a session reads. Runs on a worker.
    func prepare(_ input: InferenceInput, for model: ClassifierModel) throws(ImageError) -> PreparedInput {
        guard case .encoded(let image) = input else { return PreparedInput(input, of: model, clock: clock) }
        return PreparedInput(try decoders.prepare(image, model.preprocessing, pool: pool))
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
