import TestSupport
import Testing

@testable import Classification

/// `/v1/embed`, where it is not as `/v1/classify`.
struct EmbedTests {
    @Test func givesTheFeaturesOfEachImage() throws {
        let test = try TestService()
        defer { test.stop() }
        let good = try Upload.jpeg("420")
        let damaged = Array(good.dropLast(100))
        func embed(_ body: [UInt8], _ fields: [(name: String, value: String)] = []) throws -> RawResponse {
            try test.exchange("POST", "/v1/embed", fields: fields, body: body)
        }
        let lone: EmbedAnswer = try embed(good).decoded()
        #expect(lone.model == "lite" && lone.version == "1" && lone.results.count == 1)
        let embedding = try #require(lone.results[0].embedding)
        // Means of what a ReLU6 has made.
        #expect(embedding.count == 1280 && embedding.allSatisfy { (0...6).contains($0) } && Set(embedding).count > 100)
        let several: EmbedAnswer = try embed(Upload.json([good, damaged, try Upload.jpeg("tall"), good])).decoded()
        #expect(several.results.map { $0.embedding != nil } == [true, false, true, true])
        #expect(several.results[0].embedding == embedding && several.results[3].embedding == embedding)
        #expect(several.results[2].embedding != embedding)
        #expect(several.results[1].error?.status == 422)
        #expect(try embed(damaged).status == 422)
    }

    @Test func classifyingBesideItChangesNothing() throws {
        let test = try TestService { $0.threads = 1 }
        defer { test.stop() }
        let picture = try Upload.jpeg("444")
        let targets = ["/v1/embed", "/v1/classify", "/v1/embed", "/v1/classify"]
        let alone = try targets.map { try test.exchange("POST", $0, body: picture).text }
        #expect(try test.together(targets, body: picture) == alone)
        // They did run together.
        #expect(test.service.context.catalogue.all[0].batcher.recentBatches.contains { $0.size > 1 })
    }

    @Test func hasParametersOfItsOwn() throws {
        let test = try TestService()
        defer { test.stop() }
        let picture = try Upload.jpeg("420")
        #expect(try test.exchange("POST", "/v1/embed?model=lite&version=1", body: picture).status == 200)
        let refused = try test.exchange("POST", "/v1/embed?top_k=5", body: picture)
        #expect(refused.status == 400)
        #expect(
            try refused.decoded(Problem.self).detail == "top_k: no such parameter; there are model and version")
    }

    @Test func isMeasuredAsEveryInference() throws {
        let test = try TestService()
        defer { test.stop() }
        let response = try test.exchange("POST", "/v1/embed", body: Upload.jpeg("420"))
        #expect(response.stages.map(\.name) == ["read", "decode", "resize", "queue", "compute", "encode"])
        #expect(try test.infer(pictures: [Upload.jpeg("420")]).stages.map(\.name).suffix(2) == ["compute", "encode"])
        let page = try test.metrics()
        #expect(page.requests("/v1/embed", 200) == 1 && page.requests("/v2/models/{model}/infer", 200) == 1)
        #expect(page.stage("compute", "count") == 2)
        #expect(page["swiftlet_images_total", model: "lite"] == 2)
        #expect(page["swiftlet_top1_probability_count", model: "lite"] == 2)
    }
}
