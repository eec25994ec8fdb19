import Telemetry

/// What a batcher counts, in the metrics of whoever made it.
public struct BatcherMetrics: Sendable {
    let batchSize: Histogram
    let queueWaitSeconds: Histogram
    let flushes: [FlushReason: Counter]

    /// - Parameters:
    ///   - batchSize: elements a batch.
    ///   - queueWaitSeconds: of each element that is run, from its entry into the queue to the start of its batch.
    ///   - flushes: the counter of batches for each reason.
    public init(batchSize: Histogram, queueWaitSeconds: Histogram, flushes: (FlushReason) -> Counter) {
        self.batchSize = batchSize
        self.queueWaitSeconds = queueWaitSeconds
        self.flushes = Dictionary(uniqueKeysWithValues: FlushReason.allCases.map { ($0, flushes($0)) })
    }

    func count<Element>(_ batch: BatchQueue<Element>.Batch) {
        batchSize.observe(Double(batch.elements.count))
        for wait in batch.waitNanoseconds { queueWaitSeconds.observe(Double(wait) * 1e-9) }
        flushes[batch.reason]!.increment()
    }
}
