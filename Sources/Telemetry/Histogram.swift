import Parallelism
import Synchronization

/// How often values fell into each of a row of buckets, and their sum.
public final class Histogram: Metric, @unchecked Sendable {  // `counts` is never changed, and points at atomics
    /// Units: seconds; from 1 ms to 10 s.
    public static let durationBounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

    /// Images a batch.
    public static let batchSizeBounds: [Double] = [1, 2, 4, 8, 16, 32, 64]

    /// The buckets' inclusive upper ends.
    public let bounds: [Double]

    private let counts: UnsafeMutableBufferPointer<Atomic<Int>>
    private let sum = AtomicDouble()
    /// The latest of each bucket; none before the first.
    private let exemplars = Lock<[Exemplar?]>([])

    /// - Precondition: the bounds are finite and grow.
    public init(bounds: [Double]) {
        precondition(bounds.allSatisfy(\.isFinite), "bounds that are not finite: \(bounds)")
        precondition(zip(bounds, bounds.dropFirst()).allSatisfy { $0 < $1 }, "bounds that do not grow: \(bounds)")
        self.bounds = bounds
        counts = .allocate(capacity: bounds.count + 1)
        for bucket in 0...bounds.count { counts.initializeElement(at: bucket, to: Atomic(0)) }
    }

    deinit {
        counts.deinitialize()
        counts.deallocate()
    }

    public static var kind: MetricKind { .histogram }

    public var value: MetricValue {
        let counts = (0...bounds.count).map { self.counts[$0].load(ordering: .relaxed) }
        return .histogram(
            bounds: bounds, counts: counts, sum: sum.value, exemplars: exemplars.withLock { $0 })
    }

    /// Counts a value. One that is not a number belongs to no bucket and would spoil the sum for ever: it is left out.
    public func observe(_ value: Double) {
        guard !value.isNaN else { return }
        counts[bucket(of: value)].wrappingAdd(1, ordering: .relaxed)
        sum.add(value)
    }

    /// Counts the exemplar's value, and keeps it as its bucket's. Takes a lock, unlike `observe(_:)`.
    public func observe(_ exemplar: Exemplar) {
        guard !exemplar.value.isNaN else { return }
        observe(exemplar.value)
        let bucket = bucket(of: exemplar.value)
        exemplars.withLock { exemplars in
            if exemplars.isEmpty { exemplars = Array(repeating: nil, count: bounds.count + 1) }
            exemplars[bucket] = exemplar
        }
    }

    private func bucket(of value: Double) -> Int {
        var bucket = 0
        while bucket < bounds.count, value > bounds[bucket] { bucket += 1 }
        return bucket
    }
}
