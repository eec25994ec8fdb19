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
    let statistics = InferenceStatistics()
    /// What lay in the model's directory before it was read.
    let files: DirectoryState
    private let sessions: SessionPool

    init(
        model: ClassifierModel, files: DirectoryState, configuration: BatcherConfiguration, pool: WorkerPool,
        scratch: ThreadScratch, metrics: ModelMetrics, flushes: (FlushReason) -> Counter, backlog: WorkBacklog,
        clock: any Clock
    ) {
        self.model = model
        self.files = files
        self.metrics = metrics
        let sessions = SessionPool(model: model, capacity: configuration.maxBatchSize)
        self.sessions = sessions
        batcher = Batcher(
            configuration: configuration,
            metrics: BatcherMetrics(batchSize: metrics.batchSize, flushes: flushes), backlog: backlog, clock: clock,
            submit: { pool.submit($0) },
            expire: { $0.job.expire($0.index) },
            run: { [statistics] images, _ in
                let start = clock.now()
                let wantsFeatures = images.contains { $0.job.answer.wantsFeatures }
                let outputs = sessions.withSession { session in
                    session.run(
                        images.map(\.prepared.unsafeInput), wantsFeatures: wantsFeatures,
                        isExplained: images.map { $0.job.answer.mapCount > 0 }, in: pool, scratch: scratch)
                }
                let end = clock.now()
                withExtendedLifetime(images) {}
                metrics.images.increment(by: images.count)
                // Before the answers: who has one may ask for the statistics.
                statistics.computedBatch(
                    size: images.count, inputNanoseconds: images.reduce(0) { $0 + $1.preparedNanoseconds },
                    inferNanoseconds: end.nanoseconds(since: start))
                for (image, output) in zip(images, outputs) {
                    image.job.finish(image, output: output, start: start, end: end, batchSize: images.count)
                }
                statistics.handedOverBatch(size: images.count, nanoseconds: clock.now().nanoseconds(since: end))
            })
    }

    /// Runs a picture of all values, so that no request is the first: the weights are in memory, a session is made.
    ///
    /// - Returns: whether the result is finite, and how long it took to compute.
    func warmUp(
        in pool: WorkerPool, scratch: ThreadScratch, clock: any Clock
    ) -> (isFinite: Bool, computeNanoseconds: Int64) {
        let plan = model.plan
        let picture = (0..<plan.inputHeight * plan.inputWidth * 3).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        return picture.withUnsafeBufferPointer { pixels in
            sessions.withSession {
                let start = clock.now()
                let output = $0.run(
                    [.rgb(pixels.baseAddress!)], wantsFeatures: false, isExplained: [false], in: pool,
                    scratch: scratch)[0]
                return (output.logits.allSatisfy(\.isFinite), clock.now().nanoseconds(since: start))
            }
        }
    }
}

/// An image that has been decoded and waits for its batch.
struct PendingImage: Sendable {
    let job: InferenceJob
    /// Its place in the request.
    let index: Int
    let prepared: PreparedInput
    /// Whether the client computed the numbers that the network reads.
    let isPlanar: Bool
    /// Until a worker took it for decoding.
    let waitedNanoseconds: Int64
    /// From then on.
    let preparedNanoseconds: Int64
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

    func run(
        _ inputs: [UnsafeInput], wantsFeatures: Bool, isExplained: [Bool], in pool: WorkerPool,
        scratch: ThreadScratch
    ) -> [ImageOutput] {
        pool.withScope { scope in
            session.run(inputs, in: scope, scratch: scratch)
            // The features are there in any case, as the classifier reads them.
            return inputs.indices.map {
                ImageOutput(
                    logits: session.logits(of: $0), features: wantsFeatures ? session.features(of: $0) : [],
                    headInput: isExplained[$0] ? session.headInput(of: $0, in: scope, scratch: scratch) : nil)
            }
        }
    }
}
