import Dispatch
import Parallelism
import TestSupport
import Testing

@testable import Classification

/// Models change while requests come.
struct ReloadUnderLoadTests {
    /// Clients that classify until they are told to stop, each on a connection of its own.
    private final class Load: Sendable {
        private let isOver = Lock(false)
        private let ends = Signal<(answers: [String: Int], failure: String?)>()
        private let clientCount: Int

        init(_ test: TestService, clients: Int, query: String = "") throws {
            let image = try Upload.jpeg("420")
            clientCount = clients
            let port = test.port
            for _ in 0..<clients {
                DispatchQueue(label: "client").async { [isOver, ends] in
                    var answers: [String: Int] = [:]
                    do {
                        let client = try RawClient(port: port)
                        while !isOver.withLock({ $0 }) {
                            let response = try client.exchange("POST", "/v1/classify\(query)", body: image)
                            answers["\(response.status) \(response.text)", default: 0] += 1
                        }
                        ends.send((answers, nil))
                    } catch { ends.send((answers, "\(error)")) }
                }
            }
        }

        /// - Returns: how often each answer came, and what kept a client from having one.
        func end() -> (answers: [String: Int], failures: [String]) {
            isOver.withLock { $0 = true }
            var (answers, failures): ([String: Int], [String]) = ([:], [])
            for _ in 0..<clientCount {
                guard let end = ends.wait() else { return (answers, ["a client does not end"]) }
                answers.merge(end.answers, uniquingKeysWith: +)
                if let failure = end.failure { failures.append(failure) }
            }
            return (answers, failures)
        }
    }

    @Test func losesNoRequest() throws {
        // However slow the machine: this is not about overload.
        let test = try TestService { $0.maxQueueWaitMilliseconds = 600_000 }
        defer { test.stop() }
        let models = try [TestModel(), TestModel().retrained()]
        var expected: Set<String> = []
        for model in models {
            try test.write(model)
            #expect(try test.change(.load("lite")) == nil)
            expected.insert("200 \(try test.classify(Upload.jpeg("420")).text)")
        }
        #expect(expected.count == 2)
        let load = try Load(test, clients: 4)
        for round in 0..<12 {
            try test.write(models[round % 2])
            #expect(try test.change(round % 3 == 0 ? .reload : .load("lite")) == nil)
        }
        let (answers, failures) = load.end()
        #expect(failures == [] && Set(answers.keys) == expected)
        let total = Double(answers.values.reduce(0, +)) + 2
        // The last answers may be on their way while they are not counted yet.
        #expect(try eventually { try test.metrics().requests("/v1/classify", 200) == total })
        #expect(try test.metrics()["swiftlet_images_total", model: "lite"] == total)
        #expect(test.log.complaints == [])
    }

    @Test func comingAndGoingOfAModelDisturbsNoOther() throws {
        let test = try TestService(models: [TestModel(), TestModel(name: "other")])
        defer { test.stop() }
        let expected = try test.classify(Upload.jpeg("420")).text
        let stays = try Load(test, clients: 2)
        let goes = try Load(test, clients: 2, query: "?model=other")
        for _ in 0..<8 {
            #expect(try test.change(.unload("other")) == nil)
            #expect(try test.change(.load("other")) == nil)
        }
        let (answers, failures) = stays.end()
        #expect(failures == [] && Set(answers.keys) == ["200 \(expected)"])
        let (others, otherFailures) = goes.end()
        #expect(otherFailures == [])
        #expect(others.keys.allSatisfy { $0.hasPrefix("200 ") || $0.hasPrefix("404 ") })
    }

    @Test func whatIsInFlightFinishesOnTheOldOne() throws {
        let test = try TestService { $0.threads = 1 }
        defer { test.stop() }
        let before = try test.classify(Upload.jpeg("420")).text
        let gate = test.service.closeGate()
        let client = try test.client()
        try client.send("POST", "/v1/classify", body: Upload.jpeg("420"))
        #expect(eventually { test.placesInUse == 1 })
        try test.write(TestModel().retrained())
        #expect(try test.change(.reload) == nil)
        try test.remove("lite")
        try test.write(TestModel(name: "other"))
        #expect(try test.change(.reload) == nil)
        #expect(test.service.modelNames == ["other"])
        gate.open()
        let response = try client.receive()
        #expect(response.status == 200 && response.text == before)
        #expect(response["x-model"] == "lite" && response["x-model-version"] == "1")
    }

    /// With a queue delay they would wait for others, who come no more.
    @Test func whatWaitsForABatchToFillWaitsNoLonger() throws {
        let test = try TestService { $0.maxQueueDelayMicroseconds = 10_000_000 }
        defer { test.stop() }
        let client = try test.client()
        try client.send("POST", "/v1/classify", body: Upload.jpeg("420"))
        let runner = test.service.context.catalogue.all[0]
        #expect(eventually { runner.batcher.waitingCount == 1 })
        #expect(try test.change(.unload("lite")) == nil)
        #expect(try client.receive().status == 200)
        // A batch is recorded when it is over, and its answers go before that.
        #expect(eventually { runner.batcher.recentBatches.map(\.reason) == [.drain] })
    }

    @Test func whatIsUnloadedIsLetGo() throws {
        let test = try TestService(models: [TestModel(), TestModel(name: "other")])
        defer { test.stop() }
        #expect(try test.classify(Upload.jpeg("420"), query: "?model=other").status == 200)
        let series = { try test.metrics().values.keys.filter { $0.contains("model=\"other\",version=") } }
        #expect(try !series().isEmpty)
        weak let model = test.service.context.catalogue.loaded("other", 1)?.model
        #expect(model != nil)
        #expect(try test.change(.unload("other")) == nil)
        #expect(eventually { model == nil })
        #expect(try eventually { try series().isEmpty })
    }

    /// The new one's counters are the old one's.
    @Test func aReloadGoesOnCounting() throws {
        // However slow the machine: this is not about overload.
        let test = try TestService { $0.maxQueueWaitMilliseconds = 600_000 }
        defer { test.stop() }
        weak let model = test.service.context.catalogue.all[0].model
        for _ in 0..<3 { #expect(try test.classify(Upload.jpeg("420")).status == 200) }
        #expect(try test.change(.load("lite")) == nil)
        #expect(try test.classify(Upload.jpeg("420")).status == 200)
        #expect(eventually { model == nil })
        // What is done after the last one has let go is behind this.
        #expect(try test.change(.look) == nil)
        #expect(try test.metrics()["swiftlet_images_total", model: "lite"] == 4)
        #expect(try test.metrics()["swiftlet_queue_depth", model: "lite"] == 0)
    }
}
