import Dispatch
import HTTPServer
import TestSupport
import Testing

@testable import Classification

/// From the first signal to the last answer.
struct ServiceDrainTests {
    @Test func answersWhatWaitsAndThenEnds() throws {
        let test = try TestService { $0.threads = 1 }
        let gate = test.service.closeGate()
        let kept = try test.client()
        let waiting = try test.client()
        #expect(try kept.exchange("GET", "/livez")["connection"] == nil)
        try waiting.send("POST", "/v1/classify", body: Upload.jpeg("420"))
        #expect(eventually { test.placesInUse == 1 })
        test.service.beginDrain()
        // Serving goes on, but no connection outlives its answer.
        try kept.send("POST", "/v1/classify", body: Upload.jpeg("tall"))
        #expect(eventually { test.placesInUse == 2 })
        let done = Signal<DrainReport>()
        test.service.finishDrain { done.send($0) }
        gate.open()
        for client in [waiting, kept] {
            let response = try client.receive()
            #expect(response.status == 200 && response["connection"] == "close")
            #expect(try client.receivesEnd())
        }
        let report = try #require(done.wait())
        #expect(report.inFlight == 2 && report.served == 2 && report.refused == 0)
        #expect(throws: RawClientError.self) { try test.client() }
        // The workers are gone.
        #expect(!test.service.context.pool.submit {})
    }

    @Test func losesNoRequestUnderLoad() throws {
        let test = try TestService()
        let image = try Upload.jpeg("420")
        let expected = try test.classify(image).text
        let results = Signal<(answered: Int, failure: String?)>()
        let started = Signal<Void>()
        let port = test.port
        for _ in 0..<6 {
            DispatchQueue(label: "client").async {
                var answered = 0
                do {
                    while true {
                        // Once nobody listens any more it is over.
                        guard let client = try? RawClient(port: port) else { break }
                        var isOpen = true
                        while isOpen {
                            let response = try client.exchange("POST", "/v1/classify", body: image)
                            guard response.text == expected else { throw RawClientError.malformed(response.text) }
                            isOpen = response["connection"] != "close"
                            answered += 1
                            if answered == 10 { started.send(()) }
                        }
                    }
                    results.send((answered, nil))
                } catch RawClientError.endOfStream(after: "") {
                    results.send((answered, nil))
                } catch RawClientError.failed(_, _) {
                    // Connected, but never accepted.
                    results.send((answered, nil))
                } catch { results.send((answered, "\(error)")) }
            }
        }
        for _ in 0..<6 { #expect(started.wait() != nil) }
        test.service.beginDrain()
        let report = try #require(test.stop())
        var answered = 1
        for _ in 0..<6 {
            let result = try #require(results.wait())
            #expect(result.failure == nil)
            answered += result.answered
        }
        // Every request that the server took on was answered, and every answer arrived.
        let page = MetricsPage(test.service.context.metrics.registry.render(.prometheusText))
        #expect(page.requests("/v1/classify", 200) == Double(answered))
        #expect(page["swiftlet_images_total", model: "lite"] == Double(answered))
        #expect(page["swiftlet_inflight_requests"] == 0)
        #expect(RejectionReason.allCases.allSatisfy { page.rejections($0.rawValue) == 0 })
        #expect(report.refused == 0)
        #expect(test.log.complaints == [])
    }
}
