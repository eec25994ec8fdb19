import Testing

@testable import Telemetry

struct TraceContextTests {
    private static let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    private static let span = "00f067aa0ba902b7"

    @Test func readsTheSpecificationsExample() throws {
        let parent = try #require(TraceParent("00-\(Self.trace)-\(Self.span)-01"))
        #expect(parent.traceID.description == Self.trace && parent.spanID.description == Self.span)
        #expect(parent.isSampled)
        #expect(TraceParent("00-\(Self.trace)-\(Self.span)-00")?.isSampled == false)
        // Flags that nobody knows yet do not matter.
        #expect(TraceParent("00-\(Self.trace)-\(Self.span)-fe")?.isSampled == false)
        #expect(TraceParent("00-\(Self.trace)-\(Self.span)-ff")?.isSampled == true)
    }

    @Test(arguments: [
        "cc-\(trace)-\(span)-01", "cc-\(trace)-\(span)-01-what-comes-later", "01-\(trace)-\(span)-01-",
    ]) func readsLaterVersionsAsTheFirst(text: String) {
        #expect(TraceParent(text)?.traceID.description == Self.trace)
    }

    @Test(arguments: [
        "", "00", "00-", "ff-\(trace)-\(span)-01", "0-\(trace)-\(span)-01", "000-\(trace)-\(span)-01",
        "00-\(trace)-\(span)-01-", "00-\(trace)-\(span)-01-x", "00-\(trace)-\(span)-1", "00-\(trace)-\(span)-011",
        "00-\(trace)-\(span)", "00-\(trace)\(span)-01", "00_\(trace)_\(span)_01", " 00-\(trace)-\(span)-01",
        "00-\(trace)-\(span)-01 ", "00-\(trace.uppercased())-\(span)-01", "00-\(trace)-\(span.uppercased())-01",
        "00-00000000000000000000000000000000-\(span)-01", "00-\(trace)-0000000000000000-01",
        "00-\(trace.dropLast())-\(span)-01", "00-\(trace)0-\(span)-01", "00-\(trace)-\(span.dropLast())-01",
        "00-\(trace.dropLast())g-\(span)-01", "00-\(trace)-\(span)-0x", "cc-\(trace)-\(span)-01x",
        "00-\(trace)-\(span)-01, 00-\(trace)-\(span)-01", "00-\(trace)-\(span)-é",
    ]) func refusesWhatIsNotAsTheSpecificationHasIt(text: String) {
        #expect(TraceParent(text) == nil)
    }

    @Test func goesOnWithTheClientsTraceInASpanOfItsOwn() throws {
        let parent = try #require(TraceParent("00-\(Self.trace)-\(Self.span)-01"))
        let (first, second) = (TraceContext(in: parent), TraceContext(in: parent))
        #expect(first.traceID == parent.traceID && first.parent == parent.spanID && first.isSampled)
        #expect(first.spanID != second.spanID && first.spanID != parent.spanID)
    }

    @Test func recordsOneTraceInSoMany() {
        #expect((0..<100).allSatisfy { _ in TraceContext.beginning(oneIn: 1).isSampled })
        let traces = (0..<20_000).map { _ in TraceContext.beginning(oneIn: 4) }
        // Six standard deviations.
        #expect(abs(traces.count(where: \.isSampled) - 5000) < 370)
        #expect(Set(traces.map(\.traceID)).count == traces.count && traces.allSatisfy { $0.parent == nil })
    }

    @Test func writesExemplarsInOpenMetricsAlone() {
        let registry = Registry()
        let duration = registry.histogram("app_duration_seconds", "Time.", bounds: [0.1, 1]).with()
        func exemplar(_ value: Double, _ low: UInt64) -> Exemplar {
            Exemplar(
                traceID: TraceID(high: 0x4bf9_2f35_77b3_4da6, low: low), spanID: SpanID(0xff), value: value,
                unixSeconds: 1_520_879_607.7894)
        }
        duration.observe(exemplar(0.5, 1))
        duration.observe(exemplar(0.25, 2))
        duration.observe(exemplar(7, 3))
        duration.observe(0.01)
        duration.observe(exemplar(.nan, 4))
        #expect(
            registry.render(.openMetrics) == #"""
                # HELP app_duration_seconds Time.
                # TYPE app_duration_seconds histogram
                # UNIT app_duration_seconds seconds
                app_duration_seconds_bucket{le="0.1"} 1
                app_duration_seconds_bucket{le="1.0"} 3 # {trace_id="4bf92f3577b34da60000000000000002",span_id="00000000000000ff"} 0.25 1520879607.789
                app_duration_seconds_bucket{le="+Inf"} 4 # {trace_id="4bf92f3577b34da60000000000000003",span_id="00000000000000ff"} 7 1520879607.789
                app_duration_seconds_sum 7.76
                app_duration_seconds_count 4
                # EOF

                """#)
        #expect(!registry.render(.prometheusText).contains("trace_id"))
    }
}
