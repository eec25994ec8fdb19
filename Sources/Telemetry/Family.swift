import Parallelism

/// The metrics of one name, one for each set of label values.
///
/// Code that counts asks for its handles at the start and keeps them, which also makes the label sets exist, at zero,
/// before anything has happened.
///
/// Concurrency: every method may be called from any thread; only `with` and the scrape take the family's lock.
public final class Family<Member: Metric>: MetricSource {
    public let name: String
    public let labelNames: [String]

    private let help: String
    private let makeMember: @Sendable () -> Member
    private let members = Lock<[(labelValues: [String], metric: Member)]>([])

    init(name: String, help: String, labelNames: [String], makeMember: @escaping @Sendable () -> Member) {
        self.name = name
        self.help = help
        self.labelNames = labelNames
        self.makeMember = makeMember
    }

    /// The member with these label values, made at zero where it does not exist yet. Not for hot paths.
    ///
    /// - Precondition: as many values as the family has labels.
    public func with(_ labelValues: String...) -> Member { member(for: labelValues, make: makeMember) }

    /// Takes a label set off the page, if it is there. Its handles go on counting, unseen.
    public func remove(_ labelValues: String...) {
        members.withLock { members in members.removeAll { $0.labelValues == labelValues } }
    }

    private func member(for labelValues: [String], make: () -> Member) -> Member {
        precondition(
            labelValues.count == labelNames.count, "\(name) has the labels \(labelNames), not values \(labelValues)")
        return members.withLock { members in
            if let member = members.first(where: { $0.labelValues == labelValues }) { return member.metric }
            let metric = make()
            members.append((labelValues, metric))
            return metric
        }
    }

    public func snapshot() -> [FamilySnapshot] {
        // Computed gauges run outside of the lock.
        let series = members.withLock { $0 }.map {
            FamilySnapshot.Series(labelValues: $0.labelValues, value: $0.metric.value)
        }
        return [FamilySnapshot(name: name, help: help, kind: Member.kind, labelNames: labelNames, series: series)]
    }
}

extension Family where Member == Gauge {
    /// Makes the member with these label values one that is computed for each scrape; one that exists is replaced.
    public func with(_ labelValues: String..., computedBy value: @escaping @Sendable () -> Double) {
        members.withLock { members in members.removeAll { $0.labelValues == labelValues } }
        _ = member(for: labelValues) { Gauge(computedBy: value) }
    }
}
