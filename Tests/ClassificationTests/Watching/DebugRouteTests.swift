import TestSupport
import Testing

@testable import Classification

struct DebugRouteTests {
    private struct Batches: Decodable {
        struct Batch: Decodable {
            struct Waits: Decodable { var min, median, max: Double }

            var started, model, version, reason: String
            struct Way: Decodable { var worker, prepare, queue, compute, total: Double }

            var size: Int
            var queue_ms: Waits
            var longest_ms: Way
            var compute_ms: Double
        }

        var batches: [Batch]
    }

    @Test func listsTheLastBatchesTheLatestFirst() throws {
        let test = try TestService(models: [TestModel(), TestModel(name: "other")])
        defer { test.stop() }
        #expect(try test.exchange("GET", "/debug/batches").decoded(Batches.self).batches.isEmpty)
        let image = try Upload.jpeg("420")
        #expect(try test.classify(image).status == 200)
        let several = Upload.multipart(Array(repeating: image, count: 5))
        #expect(try test.classify(several, query: "?model=other", fields: [Upload.multipartType]).status == 200)
        #expect(
            try eventually {
                try test.exchange("GET", "/debug/batches").decoded(Batches.self).batches.reduce(0) { $0 + $1.size } == 6
            })
        let batches = try test.exchange("GET", "/debug/batches").decoded(Batches.self).batches
        #expect(batches.map(\.started) == batches.map(\.started).sorted(by: >))
        #expect(
            batches.last?.model == "lite" && batches.dropLast().allSatisfy { $0.model == "other" && $0.version == "1" })
        for batch in batches {
            #expect(batch.queue_ms.min >= 0 && batch.queue_ms.min <= batch.queue_ms.median)
            #expect(batch.queue_ms.median <= batch.queue_ms.max && batch.compute_ms > 0)
            let way = batch.longest_ms
            let parts = way.worker + way.prepare + way.queue + way.compute
            // Each is rounded to the microsecond.
            #expect(abs(way.total - parts) < 0.003 && way.prepare > 0 && way.compute == batch.compute_ms)
            #expect(way.worker >= 0 && way.queue >= batch.queue_ms.min && way.queue <= batch.queue_ms.max)
            #expect(["full", "idle"].contains(batch.reason) && batch.started.hasSuffix("Z"))
        }
    }

    @Test func isForAdministratorsAndForTheirAddress() throws {
        let test = try TestService { $0.adminAddress = "127.0.0.1:0" }
        defer { test.stop() }
        #expect(try test.exchange("GET", "/debug/batches").status == 404)
        let open = try TestService()
        defer { open.stop() }
        #expect(try open.exchange("GET", "/debug/batches").status == 200)
        #expect(try open.exchange("GET", "/debug/batches", fields: [("X-Forwarded-For", "10.0.0.1")]).status == 403)
    }
}
