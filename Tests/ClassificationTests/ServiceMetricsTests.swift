import TestSupport
import Testing

@testable import Classification

/// What a scrape of `/metrics` shows.
struct ServiceMetricsTests {
    @Test(
        arguments: [
            (nil, "text/plain; version=0.0.4; charset=utf-8"), ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
            (
                "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5",
                "application/openmetrics-text; version=1.0.0; charset=utf-8"
            ),
        ] as [(String?, String)])
    func speaksTheFormatThatIsAccepted(accept: String?, type: String) throws {
        let test = try TestService()
        defer { test.stop() }
        let response = try test.exchange("GET", "/metrics", fields: accept.map { [("Accept", $0)] } ?? [])
        #expect(response.status == 200 && response["content-type"] == type)
        #expect(response.text.hasSuffix("# EOF\n") == type.hasPrefix("application/openmetrics"))
    }

    @Test func timesWhatTheServerAnswersByItself() throws {
        let test = try TestService()
        defer { test.stop() }
        #expect(try test.exchange("GET", "/nowhere").status == 404)
        let page = try test.metrics()
        #expect(page["swiftlet_request_duration_seconds_count{route=\"unmatched\"}"] == 1)
        #expect(try #require(page["swiftlet_request_duration_seconds_sum{route=\"unmatched\"}"]) > 0)
    }

    @Test func showsEveryFamilyAtZeroFromTheStart() throws {
        let test = try TestService()
        defer { test.stop() }
        let page = try test.metrics()
        let types = [
            "swiftlet_requests_total": "counter", "swiftlet_request_duration_seconds": "histogram",
            "swiftlet_stage_duration_seconds": "histogram", "swiftlet_inflight_requests": "gauge",
            "swiftlet_rejected_total": "counter", "swiftlet_batch_size": "histogram", "swiftlet_queue_depth": "gauge",
            "swiftlet_images_total": "counter", "swiftlet_batch_flush_total": "counter",
            "swiftlet_model_load_seconds": "gauge", "swiftlet_top1_probability": "histogram",
            "swiftlet_model_ready": "gauge", "swiftlet_model_load_failures_total": "counter",
            "swiftlet_build_info": "gauge", "process_cpu_seconds_total": "counter",
            "process_resident_memory_bytes": "gauge", "process_open_fds": "gauge",
            "process_start_time_seconds": "gauge", "swiftlet_compute_threads": "gauge",
        ]
        for (name, type) in types { #expect(page.types[name] == type, "\(name)") }
        #expect(page["swiftlet_compute_threads"] == 2)
        let ofTheMachine = ["process_", "swiftlet_cpu_", "swiftlet_compute_threads"]
        let notZero = page.values.filter { sample in
            sample.value != 0 && !ofTheMachine.contains { sample.key.hasPrefix($0) }
        }.keys
        let isa = test.service.context.catalogue.all[0].model.plan.table.isa
        #expect(
            Set(notZero) == [
                // The scrape itself.
                "swiftlet_inflight_requests",
                "swiftlet_model_load_seconds{model=\"lite\",version=\"1\"}",
                "swiftlet_model_ready{model=\"lite\",version=\"1\"}",
                "swiftlet_build_info{version=\"1.2.3\",revision=\"abc\",isa=\"\(isa)\"}",
            ])
        for reason in [
            "queue_full", "queue_wait", "held_bytes", "deadline", "draining", "too_large", "bad_image", "disconnected",
        ] {
            #expect(page.rejections(reason) == 0)
        }
        for reason in ["full", "delay", "idle", "drain"] {
            #expect(page["swiftlet_batch_flush_total{model=\"lite\",version=\"1\",reason=\"\(reason)\"}"] == 0)
        }
        for stage in ["read", "decode", "resize", "queue", "compute", "encode"] {
            #expect(page.stage(stage, "count") == 0)
        }
        #expect(page.requests("/v1/classify", 504) == 0 && page.requests("unmatched", 404) == 0)
        #expect(page["swiftlet_queue_depth", model: "lite"] == 0)
    }

    @Test func noRequestMakesASeriesThatWasNotThere() throws {
        let test = try TestService { $0.maxBodyBytes = 100_000 }
        defer { test.stop() }
        let before = Set(try test.metrics().values.keys)
        #expect(try test.classify(Upload.jpeg("420")).status == 200)
        #expect(try test.classify([1]).status == 415)
        #expect(try test.classify([0xFF, 0xD8]).status == 422)
        #expect(try test.classify([]).status == 400)
        #expect(try test.classify([1], query: "?model=nobody").status == 404)
        #expect(try test.classify([UInt8](repeating: 0, count: 100_001)).status == 413)
        for path in ["/v1/classify", "/v1/models", "/v1/models/lite", "/livez", "/readyz", "/metrics"] {
            for method in ["GET", "HEAD", "POST", "OPTIONS", "DELETE", "BREW"] {
                _ = try test.exchange(method, path)
            }
        }
        for target in [
            "/v1/models/nobody", "/nowhere", "/v1/models/", "/%zz", "/?\(String(repeating: "a", count: 9000))",
        ] {
            _ = try test.exchange("GET", target)
        }
        for path in ["index", "models/nobody/load", "models/nobody/unload", "models/lite/load"] {
            for body in ["", "[]", "{\"no\": 1}"] { _ = try test.repository(path, body) }
            for method in ["GET", "OPTIONS"] { _ = try test.exchange(method, "/v2/repository/\(path)") }
        }
        #expect(try test.exchange("OPTIONS", "*").status == 204)
        #expect(try test.exchange("POST", "/v1/classify", fields: [("Expect", "tea")], body: [1]).status == 417)
        test.service.beginDrain()
        #expect(try test.exchange("GET", "/readyz").status == 503)
        let after = Set(try test.metrics().values.keys)
        #expect(after.subtracting(before) == [] && before.subtracting(after) == [])
    }

    @Test func countsARequestInEveryFamily() throws {
        let test = try TestService()
        defer { test.stop() }
        _ = try test.exchange("GET", "/livez")
        let response = try test.classify(
            Upload.multipart([Upload.jpeg("420"), Upload.jpeg("reduced-8")]), query: "?top_k=1",
            fields: [Upload.multipartType])
        let answer: ClassifyAnswer = try response.decoded()
        let page = try test.metrics()
        #expect(page.requests("/v1/classify", 200) == 1)
        #expect(page.requests("/livez", 200) == 1 && page.requests("/metrics", 200) == 0)
        #expect(page["swiftlet_request_duration_seconds_count{route=\"/v1/classify\"}"] == 1)
        #expect(page["swiftlet_request_duration_seconds_bucket{route=\"/v1/classify\",le=\"+Inf\"}"] == 1)
        #expect(page["swiftlet_images_total", model: "lite"] == 2)
        let batches = try #require(page["swiftlet_batch_size_count", model: "lite"])
        #expect(page["swiftlet_batch_size_sum", model: "lite"] == 2 && (1...2).contains(batches))
        let flushes = ["full", "delay", "idle", "drain"].map {
            page["swiftlet_batch_flush_total{model=\"lite\",version=\"1\",reason=\"\($0)\"}"] ?? .nan
        }
        #expect(flushes.reduce(0, +) == batches)
        // Classifications alone have stages.
        for stage in ServiceMetrics.stages { #expect(page.stage(stage, "count") == 1, "\(stage)") }
        #expect(page["swiftlet_top1_probability_count", model: "lite"] == 2)
        let probabilities = answer.results.compactMap { $0.predictions?[0].probability }.map(Double.init)
        let sum = try #require(page["swiftlet_top1_probability_sum", model: "lite"])
        #expect(abs(sum - probabilities.reduce(0, +)) < 1e-6)
    }

    @Test func theStagesOfAnImageLieWithinItsRequest() throws {
        let test = try TestService()
        defer { test.stop() }
        for name in ["420", "reduced-8", "tall"] { #expect(try test.classify(Upload.jpeg(name)).status == 200) }
        let page = try test.metrics()
        let whole = try #require(page["swiftlet_request_duration_seconds_sum{route=\"/v1/classify\"}"])
        let stages = try ServiceMetrics.stages.map { try #require(page.stage($0, "sum")) }
        #expect(stages.allSatisfy { $0 >= 0 })
        #expect(stages.reduce(0, +) <= whole + 1e-9)
    }
}
