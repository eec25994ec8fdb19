import Batching
import Checkpoints
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
    /// What lay in the model's directory before it was read.
    let files: DirectoryState
    private let sessions: SessionPool

    init(
        model: ClassifierModel, files: DirectoryState, configuration: BatcherConfiguration, pool: WorkerPool,
        scratch: ThreadScratch, metrics: ModelMetrics, flushes: (FlushReason) -> Counter, clock: any Clock
    ) {
        self.model = model
        self.files = files
        self.metrics = metrics
        let sessions = SessionPool(model: model, capacity: configuration.maxBatchSize)
        self.sessions = sessions
        batcher = Batcher(
            configuration: configuration,
            metrics: BatcherMetrics(batchSize: metrics.batchSize, flushes: flushes), clock: clock,
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

    /// Runs a picture of all values, so that no request is the first: the weights are in memory, a session is made.
    ///
    /// - Returns: whether the result is finite.
    func warmUp(in pool: WorkerPool, scratch: ThreadScratch) -> Bool {
        let plan = model.plan
        let picture = (0..<plan.inputHeight * plan.inputWidth * 3).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let logits = picture.withUnsafeBufferPointer { pixels in
            sessions.withSession { $0.run([.rgb(pixels.baseAddress!)], in: pool, scratch: scratch)[0] }
        }
        return logits.allSatisfy(\.isFinite)
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

/// Sessions of one model, made when they are first needed, one for each batch that is ever in flight at a time.
private final class SessionPool: Sendable {
    private let idle = Lock<[SessionBox]>([])
    private let capacity: Int
    /// Goes after the sessions, as it tells when all memory is free.
    private let model: ClassifierModel

    init(model: ClassifierModel, capacity: Int) {
        self.model = model
        self.capacity = capacity
    }

    func withSession<Result>(_ body: (SessionBox) -> Result) -> Result {
        let box = idle.withLock { $0.popLast() } ?? SessionBox(Session(plan: model.plan, capacity: capacity))
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
