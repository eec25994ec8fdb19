import Batching
import Parallelism
import TestSupport
import Testing

@testable import Classification

/// Full queues, deadlines, and clients that leave.
struct OverloadTests {
    @Test func refusesWhatHasNoPlace() throws {
        // By this clock nothing takes time, and so nobody can tell when there will be a place.
        let test = try TestService(clock: ManualClock()) {
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

    /// Nothing is known of how fast a picture is decoded that nobody has seen: it is begun, and given up when it is late.
    @Test(arguments: [(0.0005, 200), (0.002, 504)]) func whereNothingElseIsEveryDeadlineIsTried(
        seconds: Double, status: Int
    ) throws {
        let clock = ManualClock()
        let test = try TestService(clock: clock) { $0.threads = 1 }
        defer { test.stop() }
        // An estimate that says that it will be too late.
        test.service.context.catalogue.all[0].batcher.assume(nanosecondsPerElement: 1_000_000_000)
        let gate = test.service.closeGate()
        let client = try test.client()
        try client.send("POST", "/v1/classify", fields: [("X-Request-Deadline-Ms", "1")], body: Upload.jpeg("420"))
        #expect(eventually { test.placesInUse == 1 })
        clock.advance(seconds: seconds)
        gate.open()
        #expect(try client.receive().status == status)
        #expect(try test.metrics()["swiftlet_images_total", model: "lite"] == (status == 200 ? 1 : 0))
    }

    @Test func countsAWaitThatIsTooLongByItself() throws {
        let test = try TestService(clock: ManualClock()) {
            $0.threads = 1
            $0.maxQueueWaitMilliseconds = 350
        }
        defer { test.stop() }
        test.service.context.catalogue.all[0].batcher.assume(nanosecondsPerElement: 200_000_000)
        let gate = test.service.closeGate()
        let clients = try (1...2).map { count in
            let client = try test.client()
            try client.send("POST", "/v1/classify", body: Upload.jpeg("420"))
            #expect(eventually { test.placesInUse == count })
            return client
        }
        let refused = try test.classify(Upload.jpeg("420"))
        #expect(refused.status == 503 && refused["retry-after-ms"] == "400")
        gate.open()
        for client in clients { #expect(try client.receive().status == 200) }
        let page = try test.metrics()
        #expect(page.rejections("queue_wait") == 1 && page.rejections("queue_full") == 0)
        #expect(test.log.complaints == ["overload begins"])
    }

    /// Until a first batch has told, by what the warm-up took; what is loaded beside requests could not tell.
    @Test func aFreshProcessKnowsAboutHowFastItIs() throws {
        let test = try TestService()
        defer { test.stop() }
        func retryNanoseconds() throws -> Int64? {
            let batcher = try #require(test.service.context.catalogue.all.first).batcher
            let place = try batcher.reserve(places: 1)
            defer { place.release() }
            do throws(ReservationRefusal) {
                try batcher.check(places: 1, deadline: MonotonicClock().now())
            } catch .deadline(let nanoseconds) { return nanoseconds } catch { return nil }
            return nil
        }
        #expect(try #require(try retryNanoseconds()) > 0)
        try test.write(TestModel(version: 2))
        #expect(try test.change(.reload) == nil && test.versions() == [2])
        #expect(try retryNanoseconds() == 0)
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
