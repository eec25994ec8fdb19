import Synchronization

/// A number of events, which only grows.
public final class Counter: Metric {
    private let count = Atomic(0)

    public init() {}

    public static var kind: MetricKind { .counter }
    public var value: MetricValue { .number(Double(count.load(ordering: .relaxed))) }

    /// - Precondition: `amount` is not negative.
    public func increment(by amount: Int = 1) {
        precondition(amount >= 0, "a counter cannot go down by \(-amount)")
        count.wrappingAdd(amount, ordering: .relaxed)
    }
}
