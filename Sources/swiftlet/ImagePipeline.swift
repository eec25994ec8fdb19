import Classification
import Inference
import Parallelism

/// Classifies any number of images on all cores: each thread decodes and computes batches of its own, and the results
/// come out in the images' order. What is held in memory is bounded by the number of threads.
struct ImagePipeline {
    let model: ClassifierModel
    let settings: Settings
    /// Predictions an image.
    let topK: Int

    /// Calls `body` for each of `sources`, in order, on the calling thread.
    /// - Throws: what `body` throws; the images not yet begun are then left out.
    func run(
        _ sources: [ImageSource], _ body: (Int, Result<ClassifiedImage, ImageFailure>) throws -> Void
    ) throws {
        let threads = settings.threadCount
        // Few images are spread over all threads, many go in full batches.
        let batchSize = max(1, min(settings.maxBatchSize, (sources.count + threads - 1) / threads))
        let batchCount = (sources.count + batchSize - 1) / batchSize
        let order = BatchOrder(count: batchCount, window: 2 * threads)
        let pool = WorkerPool(workerCount: threads)
        defer {
            order.cancel()
            pool.shutdown()
        }
        let scratch = ThreadScratch(slotCount: pool.slotCount)
        for _ in 0..<min(threads, batchCount) {
            let isAccepted = pool.submit { [model, topK, limits = settings.imageLimits] in
                var classifier = BatchClassifier(
                    model: model, topK: topK, capacity: batchSize, limits: limits, pool: pool, scratch: scratch)
                while let batch = order.take() {
                    let end = min(sources.count, (batch + 1) * batchSize)
                    order.deliver(classifier.classify(sources[batch * batchSize..<end]), of: batch)
                }
            }
            precondition(isAccepted, "a new pool refused a job")
        }
        var index = 0
        while let results = order.next() {
            for result in results {
                try body(index, result)
                index += 1
            }
        }
    }
}

/// Hands out the numbers of batches, and their results in order, never further ahead than the window.
private final class BatchOrder: Sendable {
    typealias Results = [Result<ClassifiedImage, ImageFailure>]

    private struct State {
        var taken = 0
        var handedOn = 0
        var finished: [Int: Results] = [:]
        var isCancelled = false
    }

    private let count: Int
    private let window: Int
    private let state = Lock(State())
    private let roomMade = Condition()
    private let batchFinished = Condition()

    init(count: Int, window: Int) {
        self.count = count
        self.window = window
    }

    /// The next batch to compute, once there is room for its results; nil when there is none.
    func take() -> Int? {
        state.withLock(waitingOn: roomMade) { state -> Int?? in
            if state.isCancelled || state.taken == count { return .some(nil) }
            guard state.taken < state.handedOn + window else { return nil }
            defer { state.taken += 1 }
            return state.taken
        }
    }

    func deliver(_ results: Results, of batch: Int) {
        state.withLock { $0.finished[batch] = results }
        batchFinished.signal()
    }

    /// The results of the next batch in order, once they are there; nil after the last.
    func next() -> Results? {
        let results = state.withLock(waitingOn: batchFinished) { state -> Results?? in
            if state.handedOn == count { return .some(nil) }
            guard let results = state.finished.removeValue(forKey: state.handedOn) else { return nil }
            state.handedOn += 1
            return results
        }
        roomMade.broadcast()
        return results
    }

    /// Lets nobody take another batch.
    func cancel() {
        state.withLock { $0.isCancelled = true }
        roomMade.broadcast()
    }
}
