import TestSupport
import Testing

@testable import Classification

/// Full queues, deadlines, and clients that leave.
struct OverloadTests {
    @Test func refusesWhatHasNoPlace() throws {
        let test = try TestService {
            $0.threads = 1
            $0.maxQueueSize = 1
        }
        defer { test.stop() }
        let gate = test.service.closeGate()
        let first = try test.client()
        try first.send("POST", "/v1/classify", body: Upload.jpeg("420"))
        #expect(eventually { test.placesInUse == 1 })
        let refused = try test.classify(Upload.jpeg("444"))
        #expect(refused.status == 503)
        let problem: Problem = try refused.decoded()
        #expect(problem.title == "Overloaded" && problem.detail == "all places in the queue are taken")
        // No batch has told yet how long it takes.
        #expect(refused["retry-after"] == "1" && refused["retry-after-ms"] == nil)
        gate.open()
        #expect(try first.receive().status == 200)
        #expect(try test.classify(Upload.jpeg("444")).status == 200)
        let page = try test.metrics()
        #expect(page.rejections("queue_full") == 1)
        #expect(page.requests("/v1/classify", 503) == 1 && page.requests("/v1/classify", 200) == 2)
        #expect(page["swiftlet_queue_depth", model: "lite"] == 0)
    }

    /// Nobody uploads a photo to be refused.
    @Test func refusesBeforeTheBodyIsRead() throws {
        let test = try TestService {
            $0.threads = 1
            $0.maxQueueSize = 1
        }
        defer { test.stop() }
        let gate = test.service.closeGate()
        let first = try test.client()
        try first.send("POST", "/v1/classify", body: Upload.jpeg("420"))
        #expect(eventually { test.placesInUse == 1 })
        let image = try Upload.jpeg("444")
        let client = try test.client()
        let head = "POST /v1/classify HTTP/1.1\r\nHost: a\r\nContent-Length: \(image.count)\r\n\r\n"
        try client.send(head)
        let refused = try client.receive()
        #expect(refused.status == 503 && refused["retry-after"] == "1" && refused["connection"] == nil)
        try client.send(image)
        gate.open()
        #expect(try first.receive().status == 200)
        // The same connection, once there is a place.
        try client.send(head)
        try client.send(image)
        #expect(try client.receive().status == 200)
        #expect(try test.metrics().rejections("queue_full") == 1)
    }

    @Test func refusesARequestOfMoreImagesThanPlacesWhole() throws {
        let test = try TestService { $0.maxQueueSize = 2 }
        defer { test.stop() }
        let image = try Upload.jpeg("420")
        for form in ClassifyTests.forms {
            let refused = try test.classify(form.make([image, image, image]), fields: form.fields)
            // It could never be taken, so trying again is not advised.
            #expect(refused.status == 413 && refused["retry-after"] == nil)
            #expect(try refused.decoded(Problem.self).detail.contains("limit of 2"))
            #expect(try test.classify(form.make([image, image]), fields: form.fields).status == 200)
        }
        let page = try test.metrics()
        #expect(page["swiftlet_images_total", model: "lite"] == 4)
        #expect(page.rejections("too_large") == 2)
    }

    /// A place is free again before its answer can have been read.
    @Test func oneClientAfterAnotherNeedsOnePlace() throws {
        let test = try TestService { $0.maxQueueSize = 1 }
        defer { test.stop() }
        let client = try test.client()
        for name in ["420", "tall", "one-pixel"] {
            let image = try Upload.jpeg(name)
            for _ in 0..<60 { #expect(try client.exchange("POST", "/v1/classify", body: image).status == 200) }
        }
        #expect(try test.metrics().rejections("queue_full") == 0)
    }

    @Test func refusesADeadlineThatCannotBeMet() throws {
        let clock = ManualClock()
        let test = try TestService(clock: clock)
        defer { test.stop() }
        let image = try Upload.jpeg("420")
        let client = try test.client()
        try client.send(
            "POST /v1/classify HTTP/1.1\r\nHost: a\r\nContent-Length: \(image.count)\r\n"
                + "X-Request-Deadline-Ms: 1000\r\nExpect: 100-continue\r\n\r\n")
        #expect(try client.receive().status == 100)
        // The deadline counts from the first byte: the body comes too late.
        clock.advance(seconds: 1)
        try client.send(image)
        let refused = try client.receive()
        #expect(refused.status == 503)
        let problem: Problem = try refused.decoded()
        #expect(problem.title == "Deadline cannot be met")
        #expect(problem.detail == "the answer would not be ready within 1000 ms of the request's first byte")
        #expect(refused["retry-after"] == "1" && refused["retry-after-ms"] == nil)
        let page = try test.metrics()
        #expect(page.rejections("deadline") == 1)
        #expect(page["swiftlet_images_total", model: "lite"] == 0)
    }

    @Test func tellsOfADeadlineThatPassesInTheQueue() throws {
        let clock = ManualClock()
        let test = try TestService(clock: clock) { $0.threads = 1 }
        defer { test.stop() }
        let gate = test.service.closeGate()
        let client = try test.client()
        let late = try test.client()
        try client.send(
            "POST", "/v1/classify", fields: [("X-Request-Deadline-Ms", "1000")], body: Upload.jpeg("420"))
        #expect(eventually { test.placesInUse == 1 })
        try late.send("POST", "/v1/classify", fields: [("X-Request-Deadline-Ms", "1001")], body: Upload.jpeg("420"))
        #expect(eventually { test.placesInUse == 2 })
        clock.advance(seconds: 1.000_5)
        gate.open()
        let response = try client.receive()
        #expect(response.status == 504)
        let problem: Problem = try response.decoded()
        #expect(problem.title == "Deadline passed")
        #expect(problem.detail == "1000 ms passed before the image's turn came")
        #expect(try late.receive().status == 200)
        let page = try test.metrics()
        #expect(page.rejections("deadline") == 1 && page.requests("/v1/classify", 504) == 1)
        #expect(page["swiftlet_images_total", model: "lite"] == 1)
        #expect(page["swiftlet_queue_depth", model: "lite"] == 0)
    }

    @Test func takesTheDeadlineOfTheSettings() throws {
        let clock = ManualClock()
        let test = try TestService(clock: clock) {
            $0.threads = 1
            $0.requestDeadlineMilliseconds = 20
        }
        defer { test.stop() }
        let gate = test.service.closeGate()
        let client = try test.client()
        let patient = try test.client()
        try client.send("POST", "/v1/classify", body: Upload.jpeg("420"))
        try patient.send("POST", "/v1/classify", fields: [("X-Request-Deadline-Ms", "90")], body: Upload.jpeg("420"))
        #expect(eventually { test.placesInUse == 2 })
        clock.advance(seconds: 0.05)
        gate.open()
        #expect(try client.receive().status == 504)
        #expect(try patient.receive().status == 200)
    }

    @Test(arguments: [false, true]) func doesNotComputeForWhoHasLeft(leavesHalf: Bool) throws {
        let test = try TestService { $0.threads = 1 }
        let gate = test.service.closeGate()
        let metrics = test.service.context.metrics.registry
        func page() -> MetricsPage { MetricsPage(metrics.render(.prometheusText)) }
        var clients = [try test.client(), try test.client()]
        try clients[0].send(
            "POST", "/v1/classify", fields: [Upload.multipartType],
            body: Upload.multipart([Upload.jpeg("420"), Upload.jpeg("tall")]))
        try clients[1].send("POST", "/v1/classify", body: Upload.jpeg("420"))
        // The raw one takes its place at once, the other when a worker takes it apart.
        #expect(eventually { test.placesInUse == 1 && page()["swiftlet_inflight_requests"] == 2 })
        if leavesHalf { for client in clients { client.finishSending() } } else { clients = [] }
        // Seen before any worker has touched it.
        #expect(eventually { page().rejections("disconnected") == 2 })
        #expect(test.placesInUse == 0)
        gate.open()
        #expect(test.service.finishJobs())
        // Both are over once their jobs have let them go; no answer was given, and nobody is blamed.
        #expect(eventually { page().requests("/v1/classify", 499) == 2 })
        let last = page()
        #expect(last["swiftlet_images_total", model: "lite"] == 0)
        #expect(last.stage("compute", "count") == 0)
        #expect(last["swiftlet_inflight_requests"] == 0)
        #expect(last.rejections("disconnected") == 2)
        for client in clients { #expect(try client.receivesEnd()) }
        #expect(test.stop() != nil)
        #expect(test.log.complaints == [])
    }
}
