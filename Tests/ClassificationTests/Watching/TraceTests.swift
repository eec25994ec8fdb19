import Dispatch
import HTTPTypes
import Logging
import Parallelism
import Telemetry
import TestSupport
import Testing
import Transport

@testable import Classification
@testable import HTTPServer

struct TraceTests {
    private static let trace = "4bf92f3577b34da6a3ce929d0e0e4736"

    @Test(arguments: [("", []), ("?explain=cam", ["maps"])])
    func aRequestIsASpanWithOneForEachStep(query: String, more: [String]) throws {
        let collector = TestCollector()
        let test = try TestService { $0.otlpEndpoint = collector.endpoint }
        let before = WallTime.now.nanoseconds
        let image = try Upload.jpeg("420")
        #expect(try test.classify(image, query: query).status == 200)
        #expect(try test.exchange("GET", "/v1/models/nobody").status == 404)
        // Nobody wants to see these.
        _ = try test.exchange("GET", "/livez")
        test.stop()
        let after = WallTime.now.nanoseconds
        let spans = try collector.spans()
        let servers = spans.filter { $0.kind == 2 }
        #expect(servers.map(\.name) == ["POST /v1/classify", "GET /v1/models/{name}"])
        #expect(servers.allSatisfy { $0.parentSpanId == nil && $0.traceId.utf8.count == 32 && $0.status?.code == nil })
        let server = servers[0]
        #expect(server["http.route"] == "/v1/classify" && server["http.response.status_code"] == "200")
        #expect(server["http.request.body.size"] == "\(image.count)" && server["swiftlet.model"] == "lite")
        #expect(server["swiftlet.batch_size"] == "1" && server["client.address"] == "127.0.0.1")
        let steps = spans.filter { $0.parentSpanId == server.spanId }
        #expect(steps.count == spans.count - 2 && steps.allSatisfy { $0.kind == 1 && $0.traceId == server.traceId })
        #expect(Set(spans.map(\.spanId)).count == spans.count)
        let names = Set(steps.map(\.name))
        let expected = Set(["read", "decode", "resize", "compute", "encode"] + more)
        #expect(names.subtracting(["queue for a worker", "queue for a batch"]) == expected)
        // Each within the request, one after the other. Wall time may have been set by a microsecond between two looks.
        #expect(before - 1_000_000 <= server.start && server.end <= after + 1_000_000)
        var last = server.start
        for step in steps {
            #expect(step.start >= last - 100_000 && step.end >= step.start, "\(step.name)")
            last = step.end
        }
        #expect(last <= server.end + 100_000)
        let head = try #require(collector.heads.first)
        #expect(head.hasPrefix("POST /v1/traces HTTP/1.1\r\nHost: 127.0.0.1:\(collector.port)\r\n"))
        #expect(head.contains("Content-Type: application/json\r\n"))
        let resource = try #require(collector.exports().first?.resourceSpans.first?.resource)
        #expect(resource.attributes.first { $0.key == "service.name" }?.value.stringValue == "swiftlet")
    }

    @Test func theClientSaysWhetherItsTraceIsRecorded() throws {
        let collector = TestCollector()
        let test = try TestService {
            $0.otlpEndpoint = collector.endpoint
            // No trace of our own, but for one in a million.
            $0.traceOneIn = 1_000_000
        }
        for flags in ["00", "01"] {
            _ = try test.exchange(
                "GET", "/livez", fields: [("traceparent", "00-\(Self.trace)-00f067aa0ba902\(flags)-\(flags)")])
        }
        test.stop()
        let spans = try collector.spans()
        #expect(spans.map(\.traceId) == [Self.trace] && spans[0].parentSpanId == "00f067aa0ba90201")
    }

    @Test func exemplarsLeadToSpans() throws {
        let collector = TestCollector()
        let test = try TestService { $0.otlpEndpoint = collector.endpoint }
        for _ in 0..<3 { #expect(try test.classify(Upload.jpeg("420")).status == 200) }
        let page = try test.exchange("GET", "/metrics", fields: [("Accept", "application/openmetrics-text")]).text
        test.stop()
        let ids = page.split(separator: "\n").compactMap { line -> Substring? in
            line.firstRange(of: "trace_id=\"").map { line[$0.upperBound...].prefix(32) }
        }
        let exported = Set(try collector.spans().map(\.traceId))
        #expect(!ids.isEmpty && ids.allSatisfy { exported.contains(String($0)) }, "\(ids)")
    }

    // MARK: Collectors that do not take them

    private func exporter(
        _ registry: Registry, _ post: @escaping @Sendable ([UInt8]) -> CollectorClient.Outcome
    ) -> SpanExporter {
        SpanExporter(
            build: BuildInformation(version: "1", revision: "a"), place: "test", metrics: TraceMetrics(registry),
            logger: RecordingLog().logger, delayNanoseconds: 1000, post: post)
    }

    private func request() -> WatchedRequest {
        WatchedRequest(
            record: RequestRecord(
                route: "/x", method: .get, status: 200, seconds: 0.001, stages: [], requestID: "r"),
            trace: .beginning(oneIn: 1), started: .now, clock: WallClock(MonotonicClock()))
    }

    private func value(_ registry: Registry, _ series: String) -> Double? {
        MetricsPage(registry.render(.prometheusText))[series]
    }

    @Test func dropsWhatACollectorThatHangsHasNoTimeFor() {
        let registry = Registry()
        let gate = DispatchSemaphore(value: 0)
        let exporter = exporter(registry) { _ in
            gate.wait()
            return .accepted(rejectedSpans: 0)
        }
        let count = 2 * SpanExporter.capacity
        // Must return all the same.
        for _ in 0..<count { exporter.add(request()) }
        for _ in 0..<100 { gate.signal() }
        exporter.stop(seconds: 10)
        let exported = value(registry, "swiftlet_spans_exported_total") ?? 0
        let dropped = value(registry, "swiftlet_spans_dropped_total{reason=\"queue_full\"}") ?? 0
        #expect(exported + dropped == Double(count))
        // What was being sent had left the queue.
        #expect(exported >= Double(SpanExporter.capacity))
        #expect(exported <= Double(SpanExporter.capacity + SpanExporter.requestsPerBody))
    }

    @Test func triesAgainAndCountsWhatFails() {
        let registry = Registry()
        let outcomes = Lock<[CollectorClient.Outcome]>([
            .postponed(reason: "a"), .postponed(reason: "b"), .accepted(rejectedSpans: 0),
            .postponed(reason: "a"), .postponed(reason: "b"), .postponed(reason: "c"),
            .refused(reason: "400"), .accepted(rejectedSpans: 1),
        ])
        let exporter = exporter(registry) { _ in outcomes.withLock { $0.removeFirst() } }
        for left in [5, 2, 1, 0] {
            exporter.add(request())
            #expect(eventually { outcomes.withLock { $0.count } == left })
        }
        exporter.stop(seconds: 10)
        #expect(value(registry, "swiftlet_spans_exported_total") == 1)
        #expect(value(registry, "swiftlet_span_export_failures_total") == 6)
        #expect(value(registry, "swiftlet_spans_dropped_total{reason=\"failed\"}") == 2)
        #expect(value(registry, "swiftlet_spans_dropped_total{reason=\"rejected\"}") == 1)
    }

    @Test func tellsWhatACollectorAnswers() throws {
        func outcome(_ statuses: [Int], _ answer: String = "{}") throws -> CollectorClient.Outcome {
            let collector = TestCollector(statuses: statuses, answer: answer)
            let client = CollectorClient(endpoint: try #require(CollectorEndpoint(collector.endpoint)))
            // It stops listening when it is let go.
            return withExtendedLifetime(collector) { client.post([0x7B, 0x7D]) }
        }
        #expect(try outcome([200]) == .accepted(rejectedSpans: 0))
        #expect(try outcome([200], "no JSON") == .accepted(rejectedSpans: 0))
        #expect(try outcome([200], #"{"partialSuccess":{"rejectedSpans":"3"}}"#) == .accepted(rejectedSpans: 3))
        #expect(try outcome([200], #"{"partialSuccess":{"rejectedSpans":4}}"#) == .accepted(rejectedSpans: 4))
        #expect(try outcome([503]) == .postponed(reason: "status 503"))
        #expect(try outcome([429]) == .postponed(reason: "status 429"))
        #expect(try outcome([400]) == .refused(reason: "status 400"))
    }

    /// All leave the connection open.
    @Test(arguments: [
        ("204 No Content\r\n\r\n", 0), ("200 OK\r\n\r\n{}", 0),
        ("200 OK\r\n\r\n{\"partialSuccess\":{\"rejectedSpans\":2}}", 2),
        (
            "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "12;a=b\r\n{\"partialSuccess\":\r\n16\r\n{\"rejectedSpans\":\"3\"}}\r\n0\r\n\r\n", 3
        ),
        ("200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{", 0), ("200 OK\r\nContent-Length: 9\r\n\r\n{}", 0),
        ("100 Continue\r\n\r\nHTTP/1.1 202 Accepted\r\n\r\n", 0),
    ]) func theStatusDecidesThoughTheAnswerHasNoEnd(answer: String, rejectedSpans: Int) throws {
        let collector = TestCollector(rawAnswer: "HTTP/1.1 \(answer)")
        let client = CollectorClient(
            endpoint: try #require(CollectorEndpoint(collector.endpoint)), bodyTimeoutNanoseconds: 50_000_000)
        #expect(client.post([0x7B, 0x7D]) == .accepted(rejectedSpans: rejectedSpans))
        #expect(collector.heads.count == 1)
    }

    @Test(arguments: ["20", "0200", "+20", "2x0"]) func aStatusHasThreeDigits(status: String) throws {
        let collector = TestCollector(rawAnswer: "HTTP/1.1 \(status) X\r\n\r\n")
        let client = CollectorClient(
            endpoint: try #require(CollectorEndpoint(collector.endpoint)), timeoutNanoseconds: 100_000_000)
        guard case .postponed = client.post([0x7B, 0x7D]) else {
            Issue.record("taken for a status")
            return
        }
        // The answer was there to be misread.
        #expect(collector.heads.count == 1)
    }

    @Test func methodsThatClientsMakeUpAreOther() throws {
        var made = request()
        let method = try #require(HTTPRequest.Method(String(repeating: "A", count: 8000)))
        let record = RequestRecord(
            route: "/x", method: method, status: 405, seconds: 0.001, stages: [], requestID: "r")
        made = WatchedRequest(record: record, trace: made.trace, started: .now, clock: made.clock)
        let traces = OTLPTraces(build: BuildInformation(version: "1", revision: "a"))
        let export = try decodeJSON(TestCollector.Export.self, traces.json([made]))
        let span = try #require(export.resourceSpans.first?.scopeSpans.first?.spans.first)
        #expect(span.name == "HTTP /x" && span["http.request.method"] == "_OTHER")
    }

    @Test(arguments: [(503, "queue_wait"), (415, nil)] as [(Int, String?)]) func errorsOfTheServersSayWhy(
        status: Int, type: String?
    ) throws {
        var record = RequestRecord(route: "/x", method: .get, status: status, seconds: 0, stages: [], requestID: "r")
        record.reason = "queue_wait"
        let made = WatchedRequest(record: record, trace: request().trace, started: .now, clock: request().clock)
        let traces = OTLPTraces(build: BuildInformation(version: "1", revision: "a"))
        let export = try decodeJSON(TestCollector.Export.self, traces.json([made]))
        let span = try #require(export.resourceSpans.first?.scopeSpans.first?.spans.first)
        #expect(span["error.type"] == type)
    }

    @Test func aCollectorThatNeverAnswersIsGivenUp() throws {
        // The kernel takes the connection and the body, and nobody reads them.
        let listener = try Socket.listening(host: "127.0.0.1", port: 0, backlog: 1)
        let endpoint = try #require(CollectorEndpoint("http://\(listener.localAddress())"))
        let outcome = CollectorClient(endpoint: endpoint, timeoutNanoseconds: 20_000_000).post([1])
        guard case .postponed(let reason) = outcome else {
            Issue.record("\(outcome)")
            return
        }
        #expect(reason.hasPrefix("receive: "))
    }

    @Test func aCollectorThatIsNotThereHoldsNothingUp() throws {
        let port = try ClosedPort()
        let test = try TestService { $0.otlpEndpoint = "http://127.0.0.1:\(port.number)/v1/traces" }
        #expect(try test.classify(Upload.jpeg("420")).status == 200)
        test.stop()
        withExtendedLifetime(port) {}
        let page = MetricsPage(test.service.context.metrics.registry.render(.prometheusText))
        #expect(page["swiftlet_spans_exported_total"] == 0)
        #expect(try #require(page["swiftlet_spans_dropped_total{reason=\"failed\"}"]) >= 6)
        #expect(test.log.complaints.contains("the collector does not take spans"))
    }

    @Test(arguments: [
        ("http://127.0.0.1:4318", "/v1/traces"), ("http://collector:4318/", "/v1/traces"),
        ("http://[::1]:4318/v1/traces", "/v1/traces"), ("http://a.b:1/x/y?z=1", "/x/y?z=1"),
    ]) func readsTheCollectorsAddress(text: String, path: String) {
        #expect(CollectorEndpoint(text)?.path == path)
    }

    @Test(arguments: [
        "https://a:1/", "a:1", "http://a", "http://a/", "http://:1/", "http://a:65536", "http://u@a:1", "http://a:1/#x",
        "http://a:1/ x", "http://a:0/",
    ]) func refusesOtherAddresses(text: String) {
        #expect(CollectorEndpoint(text) == nil)
    }
}
