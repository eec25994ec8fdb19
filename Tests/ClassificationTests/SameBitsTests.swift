import Dispatch
import TestSupport
import Testing

@testable import Classification

/// The same picture gives the same bytes, alone, in a batch, and under load.
struct SameBitsTests {
    static let names = ["420", "444", "grayscale", "reduced-8", "orientation-6", "tall", "cmyk", "one-pixel"]

    /// What each picture's entry looks like when it is asked for alone.
    private func entries(_ test: TestService) throws -> [String] {
        let head = "{\"model\":\"lite\",\"version\":\"1\",\"results\":["
        let entries = try Self.names.map { name in
            let text = try test.classify(Upload.jpeg(name), query: "?top_k=10").text
            #expect(text.hasPrefix(head) && text.hasSuffix("]}"))
            return String(text.dropFirst(head.count).dropLast(2))
        }
        // Or else an exchanged answer would not be seen.
        #expect(Set(entries).count == entries.count)
        return entries
    }

    private func body(_ entries: [String]) -> String {
        "{\"model\":\"lite\",\"version\":\"1\",\"results\":[\(entries.joined(separator: ","))]}"
    }

    @Test func holdsWithinARequestOfSeveral() throws {
        let test = try TestService()
        defer { test.stop() }
        let entries = try entries(test)
        for order in [[0, 1, 2, 3, 4, 5, 6, 7], [7, 7, 7, 0, 1], [5, 4, 3, 2, 1, 0, 0, 1, 2, 3, 4, 5, 6]] {
            let images = try order.map { try Upload.jpeg(Self.names[$0]) }
            let response = try test.classify(
                Upload.multipart(images), query: "?top_k=10", fields: [Upload.multipartType])
            #expect(response.text == body(order.map { entries[$0] }))
        }
    }

    @Test func holdsInABatchOfStrangers() throws {
        let test = try TestService { $0.threads = 1 }
        defer { test.stop() }
        let entries = try entries(test)
        let gate = test.service.closeGate()
        let clients = try (Self.names + Self.names).map { name in
            let client = try test.client()
            try client.send("POST", "/v1/classify?top_k=10", body: Upload.jpeg(name))
            return client
        }
        #expect(eventually { test.placesInUse == 16 })
        gate.open()
        for (client, entry) in zip(clients, entries + entries) { #expect(try client.receive().text == body([entry])) }
        // They did run together: eight images alone, then a full batch of eight; how the rest is cut is not asked here.
        let batches = test.service.context.catalogue.all[0].batcher.recentBatches
        #expect(batches.prefix(9).map(\.size) == [1, 1, 1, 1, 1, 1, 1, 1, 8])
        #expect(batches.dropFirst(8).first?.reason == .full)
    }

    @Test func holdsUnderConcurrentLoad() throws {
        let test = try TestService()
        defer { test.stop() }
        let expected = try entries(test).map { body([$0]) }
        let images = try Self.names.map(Upload.jpeg)
        let results = Signal<(wrong: Int, failure: String?)>()
        let port = test.port
        for start in 0..<6 {
            DispatchQueue(label: "client").async {
                do {
                    let client = try RawClient(port: port)
                    var wrong = 0
                    for index in start..<start + 40 {
                        let picture = index * (start + 1) % images.count
                        let response = try client.exchange("POST", "/v1/classify?top_k=10", body: images[picture])
                        if response.text != expected[picture] { wrong += 1 }
                    }
                    results.send((wrong, nil))
                } catch { results.send((0, "\(error)")) }
            }
        }
        for _ in 0..<6 {
            let result = try #require(results.wait())
            #expect(result.wrong == 0 && result.failure == nil)
        }
        #expect(try test.metrics()["swiftlet_images_total", model: "lite"] == 6 * 40 + 8)
    }
}
