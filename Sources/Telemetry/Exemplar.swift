/// One of the values that a bucket has counted, and the trace that shows where it came from.
///
/// Source: OpenMetrics 1.0, "Exemplars".
public struct Exemplar: Equatable, Sendable {
    public var traceID: TraceID
    public var spanID: SpanID
    public var value: Double
    /// When it was counted. Units: seconds since 1970.
    public var unixSeconds: Double

    public init(traceID: TraceID, spanID: SpanID, value: Double, unixSeconds: Double) {
        self.traceID = traceID
        self.spanID = spanID
        self.value = value
        self.unixSeconds = unixSeconds
    }
}
