import Parallelism

/// All metrics of the process, in the order in which they were declared.
public final class Registry: Sendable {
    private let state = Lock(State())

    private struct State {
        var sources: [any MetricSource] = []
        var names: Set<String> = []
    }

    public init() {}

    /// Declares a counter.
    ///
    /// - Precondition: the name ends in `_total`; it and the labels are valid and the name not taken.
    public func counter(_ name: String, _ help: String, labels: [String] = []) -> Family<Counter> {
        declare(Family(name: name, help: help, labelNames: labels) { Counter() })
    }

    /// Declares a gauge.
    ///
    /// - Precondition: name and labels are valid, and the name not taken.
    public func gauge(_ name: String, _ help: String, labels: [String] = []) -> Family<Gauge> {
        declare(Family(name: name, help: help, labelNames: labels) { Gauge() })
    }

    /// Declares a histogram.
    ///
    /// - Precondition: name and labels are valid, and the name not taken; the bounds are finite and grow.
    public func histogram(
        _ name: String, _ help: String, labels: [String] = [], bounds: [Double] = Histogram.durationBounds
    ) -> Family<Histogram> {
        precondition(!labels.contains("le"), "\(name): the label le belongs to the buckets")
        return declare(Family(name: name, help: help, labelNames: labels) { Histogram(bounds: bounds) })
    }

    /// Shows what `source` has at the end of the page.
    public func add(_ source: any MetricSource) { state.withLock { $0.sources.append(source) } }

    /// All metrics as they are now, in one of the exposition formats.
    public func render(_ format: ExpositionFormat) -> String {
        format.render(state.withLock { $0.sources }.flatMap { $0.snapshot() })
    }

    private func declare<Member>(_ family: Family<Member>) -> Family<Member> {
        let name = family.name
        precondition(isValidName(name, colonIsAllowed: true), "\"\(name)\" is no name for a metric")
        precondition(name.hasSuffix("_total") == (Member.kind == .counter), "\(name): counters alone end in _total")
        for label in family.labelNames {
            precondition(
                isValidName(label, colonIsAllowed: false) && !label.hasPrefix("__"),
                "\(name): \"\(label)\" is no name for a label")
        }
        precondition(Set(family.labelNames).count == family.labelNames.count, "\(name): a label twice")
        let baseName = name.hasSuffix("_total") ? String(name.dropLast("_total".count)) : name
        state.withLock { state in
            precondition(state.names.insert(baseName).inserted, "\(name) is declared twice")
            state.sources.append(family)
        }
        return family
    }
}

/// Source: OpenMetrics 1.0, `metricname` and `label-name`.
private func isValidName(_ name: String, colonIsAllowed: Bool) -> Bool {
    guard let first = name.utf8.first, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else { return false }
    return name.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"): true
        case UInt8(ascii: ":"): colonIsAllowed
        default: false
        }
    }
}
