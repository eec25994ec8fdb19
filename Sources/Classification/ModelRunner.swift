import Batching
import Imaging
import Inference
import Parallelism
import Telemetry

/// A loaded model with its batcher and its sessions: what images are sent to.
///
/// Concurrency: every method may be called from any thread.
final class ModelRunner: Sendable {
    let model: ClassifierModel
    let batcher: Batcher<PendingImage>
    let metrics: ModelMetrics

    init(
        model: ClassifierModel, configuration: BatcherConfiguration, pool: WorkerPool, scratch: ThreadScratch,
        metrics: ModelMetrics, flushes: (FlushReason) -> Counter, backlog: WorkBacklog, clock: any Clock
    ) {
        self.model = model
        self.metrics = metrics
        let sessions = SessionPool(plan: model.plan, capacity: configuration.maxBatchSize)
        batcher = Batcher(
            configuration: configuration,
            metrics: BatcherMetrics(batchSize: metrics.batchSize, flushes: flushes), backlog: backlog, clock: clock,
            submit: { pool.submit($0) },
            expire: { $0.job.expire($0.index) },
            run: { images, _ in
                let start = clock.now()
                let logits = sessions.withSession { session in
                    session.run(images.map { .rgb($0.prepared.unsafePixels) }, in: pool, scratch: scratch)
                }
                let end = clock.now()
                withExtendedLifetime(images) {}
                metrics.images.increment(by: images.count)
                for (image, logits) in zip(images, logits) {
                    image.job.finish(image, logits: logits, start: start, end: end)
                }
            })
    }
}

/// An image that has been decoded and waits for its batch.
struct PendingImage: Sendable {
    let job: ClassifyJob
    /// Its place in the request.
    let index: Int
    let prepared: PreparedImage
    /// Until a worker took it for decoding.
    let waitedNanoseconds: Int64
    let enqueued: Instant
}

/// Sessions of one plan, made when they are first needed, one for each batch that is ever in flight at a time.
private final class SessionPool: Sendable {
    private let plan: Plan
    private let capacity: Int
    private let idle = Lock<[SessionBox]>([])

    init(plan: Plan, capacity: Int) {
        self.plan = plan
        self.capacity = capacity
    }

    func withSession<Result>(_ body: (SessionBox) -> Result) -> Result {
        let box = idle.withLock { $0.popLast() } ?? SessionBox(Session(plan: plan, capacity: capacity))
        defer { idle.withLock { $0.append(box) } }
        return body(box)
    }
}

/// Holds a session where a copyable value is needed.
private final class SessionBox: @unchecked Sendable {  // taken out of the pool by one thread at a time
    private var session: Session

    init(_ session: consuming Session) { self.session = session }

    func run(_ inputs: [UnsafeInput], in pool: WorkerPool, scratch: ThreadScratch) -> [[Float]] {
        pool.withScope { session.run(inputs, in: $0, scratch: scratch) }
        return inputs.indices.map { session.logits(of: $0) }
    }
}
