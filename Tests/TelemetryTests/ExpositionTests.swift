import Testing

@testable import Telemetry

struct ExpositionTests {
    private func sample() -> Registry {
        let registry = Registry()
        let requests = registry.counter("app_requests_total", "Requests.", labels: ["route", "code"])
        requests.with("/v1/classify", "200").increment(by: 3)
        _ = requests.with("/v1/classify", "503")
        _ = registry.counter("app_unused_total", "Has no label set yet.", labels: ["x"])
        let duration = registry.histogram("app_duration_seconds", "Time.", labels: ["stage"], bounds: [0.0025, 1, 10])
        for value in [0.001, 0.0025, 0.5, 11.25] { duration.with("decode").observe(value) }
        registry.gauge("app_depth", "Depth\nof \"the\" \\ queue.").with().set(-2.5)
        registry.gauge("app_size_bytes", "Size.").with(computedBy: { 4096 })
        return registry
    }

    @Test func writesPrometheusText() {
        #expect(
            sample().render(.prometheusText) == #"""
                # HELP app_requests_total Requests.
                # TYPE app_requests_total counter
                app_requests_total{route="/v1/classify",code="200"} 3
                app_requests_total{route="/v1/classify",code="503"} 0
                # HELP app_duration_seconds Time.
                # TYPE app_duration_seconds histogram
                app_duration_seconds_bucket{stage="decode",le="0.0025"} 2
                app_duration_seconds_bucket{stage="decode",le="1.0"} 3
                app_duration_seconds_bucket{stage="decode",le="10.0"} 3
                app_duration_seconds_bucket{stage="decode",le="+Inf"} 4
                app_duration_seconds_sum{stage="decode"} 11.7535
                app_duration_seconds_count{stage="decode"} 4
                # HELP app_depth Depth\nof "the" \\ queue.
                # TYPE app_depth gauge
                app_depth -2.5
                # HELP app_size_bytes Size.
                # TYPE app_size_bytes gauge
                app_size_bytes 4096

                """#)
    }

    @Test func writesOpenMetrics() {
        #expect(
            sample().render(.openMetrics) == #"""
                # HELP app_requests Requests.
                # TYPE app_requests counter
                app_requests_total{route="/v1/classify",code="200"} 3
                app_requests_total{route="/v1/classify",code="503"} 0
                # HELP app_duration_seconds Time.
                # TYPE app_duration_seconds histogram
                # UNIT app_duration_seconds seconds
                app_duration_seconds_bucket{stage="decode",le="0.0025"} 2
                app_duration_seconds_bucket{stage="decode",le="1.0"} 3
                app_duration_seconds_bucket{stage="decode",le="10.0"} 3
                app_duration_seconds_bucket{stage="decode",le="+Inf"} 4
                app_duration_seconds_sum{stage="decode"} 11.7535
                app_duration_seconds_count{stage="decode"} 4
                # HELP app_depth Depth\nof \"the\" \\ queue.
                # TYPE app_depth gauge
                app_depth -2.5
                # HELP app_size_bytes Size.
                # TYPE app_size_bytes gauge
                # UNIT app_size_bytes bytes
                app_size_bytes 4096
                # EOF

                """#)
    }

    @Test func escapesLabelValues() {
        let registry = Registry()
        _ = registry.gauge("a", "A.", labels: ["path"]).with("C:\\x\n\"é\"\r\n")
        #expect(registry.render(.prometheusText).hasSuffix("a{path=\"C:\\\\x\\n\\\"é\\\"\r\\n\"} 0\n"))
    }

    @Test(arguments: [
        (0.0, "0"), (-0.5, "-0.5"), (1e-05, "1e-05"), (9_007_199_254_740_991, "9007199254740991"),
        (1e300, "1e+300"), (.nan, "NaN"), (.infinity, "+Inf"), (-.infinity, "-Inf"),
    ]) func writesNumbers(value: Double, text: String) {
        let registry = Registry()
        registry.gauge("a", "A.").with().set(value)
        #expect(registry.render(.prometheusText).hasSuffix("a \(text)\n"))
    }

    @Test func showsNoLabelSetThatWasRemoved() {
        let registry = Registry()
        let depth = registry.gauge("a", "A.", labels: ["model"])
        depth.with("old").set(1)
        depth.with("new", computedBy: { 2 })
        depth.remove("old")
        #expect(registry.render(.prometheusText).hasSuffix("gauge\na{model=\"new\"} 2\n"))
    }

    @Test(arguments: [
        (nil, ExpositionFormat.prometheusText),
        ("", .prometheusText),
        ("*/*", .prometheusText),
        ("application/json", .prometheusText),
        ("text/plain;version=0.0.4", .prometheusText),
        ("application/openmetrics-text", .openMetrics),
        ("Application/OpenMetrics-Text ; Version=\"1.0.0\"", .openMetrics),
        ("application/openmetrics-text;version=0.0.1", .prometheusText),
        ("application/openmetrics-text;version=1.0.0;q=0", .prometheusText),
        ("application/openmetrics-text;q=nonsense", .prometheusText),
        ("text/plain;q=0.9, application/openmetrics-text;version=1.0.0;q=0.2", .prometheusText),
        ("text/plain;q=0.2, application/openmetrics-text;version=1.0.0;q=0.9", .openMetrics),
        // What Prometheus 2.49 and 3.0 send.
        (
            "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
                + "text/plain;version=0.0.4;q=0.3,*/*;q=0.2", .openMetrics
        ),
        (
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
                + "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
                + "text/plain;version=0.0.4;q=0.2,/;q=0.1", .openMetrics
        ),
    ]) func choosesTheFormatByAccept(accept: String?, format: ExpositionFormat) {
        #expect(ExpositionFormat(accept: accept) == format)
    }

    @Test func namesItsContentTypes() {
        #expect(ExpositionFormat.prometheusText.contentType == "text/plain; version=0.0.4; charset=utf-8")
        #expect(
            ExpositionFormat.openMetrics.contentType == "application/openmetrics-text; version=1.0.0; charset=utf-8")
    }
}
