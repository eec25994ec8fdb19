import Telemetry

/// What a batcher counts, in the metrics of whoever made it.
public struct BatcherMetrics: Sendable {
    let batchSize: Histogram
    let flushes: [FlushReason: Counter]

    /// - Parameters:
    ///   - batchSize: elements a batch.
    ///   - flushes: the counter of batches for each reason.
    public init(batchSize: Histogram, flushes: (FlushReason) -> Counter) {
        self.batchSize = batchSize
        self.flushes = Dictionary(uniqueKeysWithValues: FlushReason.allCases.map { ($0, flushes($0)) })
    }

    func count<Element>(_ batch: BatchQueue<Element>.Batch) {
        batchSize.observe(Double(batch.elements.count))
        flushes[batch.reason]!.increment()
    }
}
