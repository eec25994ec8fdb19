import Telemetry

/// What has become of spans.
struct TraceMetrics: Sendable {
    enum Loss: String, CaseIterable, Sendable {
        /// More requests than can wait for the collector, or the process was ending.
        case queueFull = "queue_full"
        /// The collector could not be reached, or refused all of a body.
        case failed
        /// The collector took the others of the body.
        case rejected
    }

    private let spans: Counter
    private let losses: [Loss: Counter]
    private let failures: Counter

    init(_ registry: Registry) {
        spans = registry.counter("swiftlet_spans_exported_total", "Spans that the collector has taken.").with()
        let losses = registry.counter(
            "swiftlet_spans_dropped_total", "Spans that no collector has got, by reason.", labels: ["reason"])
        self.losses = Dictionary(uniqueKeysWithValues: Loss.allCases.map { ($0, losses.with($0.rawValue)) })
        failures = registry.counter(
            "swiftlet_span_export_failures_total", "Attempts to send spans that failed."
        ).with()
    }

    func exported(_ count: Int) { spans.increment(by: count) }
    func dropped(_ loss: Loss, _ count: Int) { losses[loss]!.increment(by: count) }
    func exportFailed() { failures.increment() }
}
