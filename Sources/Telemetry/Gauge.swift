import Synchronization

/// A number that goes up and down: set by whoever knows it, or computed when it is asked for.
public final class Gauge: Metric {
    private let stored = AtomicDouble()
    private let computed: (@Sendable () -> Double)?

    public init() { computed = nil }

    /// A gauge that calls `value` for each scrape, on the scraping thread.
    public init(computedBy value: @escaping @Sendable () -> Double) { computed = value }

    public static var kind: MetricKind { .gauge }
    public var value: MetricValue { .number(computed?() ?? stored.value) }

    /// - Precondition: the gauge is not a computed one.
    public func set(_ value: Double) {
        precondition(computed == nil, "a computed gauge cannot be set")
        stored.set(value)
    }

    /// - Precondition: the gauge is not a computed one.
    public func add(_ amount: Double) {
        precondition(computed == nil, "a computed gauge cannot be set")
        stored.add(amount)
    }
}

/// A floating-point number that threads add to without a lock.
final class AtomicDouble: Sendable {
    private let bits = Atomic(Double(0).bitPattern)

    var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }

    func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }

    func add(_ amount: Double) {
        var current = bits.load(ordering: .relaxed)
        while true {
            let sum = Double(bitPattern: current) + amount
            let (isExchanged, found) = bits.weakCompareExchange(
                expected: current, desired: sum.bitPattern, ordering: .relaxed)
            if isExchanged { return }
            current = found
        }
    }
}
