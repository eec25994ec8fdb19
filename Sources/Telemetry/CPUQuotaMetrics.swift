import Parallelism

/// What the control group lets the process have of the processors, read at each scrape. Without a quota there is nothing.
public struct CPUQuotaMetrics: MetricSource {
    private let readText: @Sendable (String) -> String?

    public init() { self.init(readText: SystemFile.text(at:)) }

    init(readText: @escaping @Sendable (String) -> String?) { self.readText = readText }

    public func snapshot() -> [FamilySnapshot] {
        guard let quota = CPUQuota.inForce(readingFile: readText) else { return [] }
        var families: [FamilySnapshot] = []
        func add(_ name: String, _ help: String, _ kind: MetricKind, _ value: Double) {
            let series = FamilySnapshot.Series(labelValues: [], value: .number(value))
            families.append(FamilySnapshot(name: name, help: help, kind: kind, series: [series]))
        }
        add("swiftlet_cpu_quota_cores", "Cores' worth of time that the control group may use.", .gauge, quota.cores)
        guard let throttling = quota.throttling else { return families }
        add(
            "swiftlet_cpu_periods_total", "Periods of the quota in which the control group wanted to run.", .counter,
            throttling.periods)
        add(
            "swiftlet_cpu_throttled_periods_total", "Those in which its quota was used up.", .counter,
            throttling.throttledPeriods)
        add(
            "swiftlet_cpu_throttled_seconds_total", "How long threads stood still for that, all processors together.",
            .counter, throttling.throttledSeconds)
        return families
    }
}
