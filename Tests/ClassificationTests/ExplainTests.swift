import FoundationEssentials
import HTTPServer
import Imaging
import Inference
import TestSupport
import Testing

@testable import Batching
@testable import Classification
@testable import Parallelism

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// `explain=cam` of `/v1/classify`.
struct ExplainTests {
    private struct Answer: Decodable {
        struct Entry: Decodable {
            var width: Int?
            var height: Int?
            var predictions: [ClassifyAnswer.Prediction]?
            var cam: Explanation?
            var error: Problem?
        }

        struct Explanation: Decodable, Equatable {
            struct Box: Decodable, Equatable {
                var x: Double
                var y: Double
                var width: Double
                var height: Double
            }

            struct Map: Decodable, Equatable {
                var index: Int
                var low: Float
                var high: Float
                var width: Int
                var height: Int
                var png: String
            }

            var box: Box
            var maps: [Map]
        }

        var results: [Entry]
    }

    /// With a last feature map of 3×3.
    private static func service(_ change: (inout Settings) -> Void = { _ in }) throws -> TestService {
        try TestService(models: [TestModel(inputSize: 96)], change)
    }

    private static func pixels(_ map: Answer.Explanation.Map) throws -> [UInt8] {
        let file = try #require(Data(base64Encoded: map.png))
        var decoder = ImageDecoder()
        let same = Preprocessing(
            resize: min(map.width, map.height), cropWidth: map.width, cropHeight: map.height, filter: .bilinear)
        let bytes = [UInt8](file)
        return try decoder.prepare(bytes.span, same).withUnsafePixels { pixels in
            stride(from: 0, to: pixels.count, by: 3).map { pixels[$0] }
        }
    }

    @Test func mapsTheLikeliestClassesAndChangesNothingElse() throws {
        let test = try Self.service()
        defer { test.stop() }
        let picture = try Upload.jpeg("444")
        let plain: Answer = try test.classify(picture).decoded()
        #expect(plain.results[0].cam == nil)
        let predictions = try #require(plain.results[0].predictions)
        for (query, count) in [("cam", 1), ("cam:1", 1), ("cam:3", 3), ("cam:5", 5)] {
            let answer: Answer = try test.classify(picture, query: "?explain=\(query)").decoded()
            #expect(answer.results[0].predictions == predictions)
            let maps = try #require(answer.results[0].cam).maps
            #expect(maps.map(\.index) == predictions.prefix(count).map(\.index))
            for map in maps {
                #expect(map.width == 24 && map.height == 24 && map.low < map.high)
                let pixels = try Self.pixels(map)
                // The middle of a cell lies between pixels, so that an inner one's value is on none.
                #expect(pixels.min()! <= 32 && pixels.max()! >= 223)
            }
        }
        // No more than there are classes in the answer.
        let two: Answer = try test.classify(picture, query: "?explain=cam:5&top_k=2").decoded()
        #expect(two.results[0].cam?.maps.count == 2)
    }

    /// The middles of the cells are read off the picture, and put through what the engine promises of them.
    @Test func theMapsMeanIsTheLogitWithoutItsBias() throws {
        let test = try Self.service()
        defer { test.stop() }
        let answer: Answer = try test.classify(Upload.jpeg("444"), query: "?explain=cam:5&top_k=5").decoded()
        let bias = try #require(TestModel.tensors()["classifier.bias"]).floats
        let means = try #require(answer.results[0].cam).maps.map { map in
            let pixels = try Self.pixels(map)
            // Of two pixels beside a middle, both ways, the mean is the value there.
            let cells = (0..<9).map { cell -> Float in
                let (y, x) = (cell / 3 * 8 + 3, cell % 3 * 8 + 3)
                let around = [(y, x), (y, x + 1), (y + 1, x), (y + 1, x + 1)].map { Float(pixels[$0.0 * 24 + $0.1]) }
                return around.reduce(0, +) / 4
            }
            return map.low + cells.reduce(0, +) / 9 / 255 * (map.high - map.low) + bias[map.index]
        }
        // Probabilities are exponentials of logits, but for a factor.
        let predictions = try #require(answer.results[0].predictions)
        let range = try #require(answer.results[0].cam).maps.map { $0.high - $0.low }.max()!
        for (mean, prediction) in zip(means, predictions) {
            let expected = log(prediction.probability) - log(predictions[0].probability)
            #expect(abs((mean - means[0]) - expected) <= 0.05 * range, "class \(prediction.index)")
        }
    }

    @Test func mapsBesideOthersInTheBatchChangeNothing() throws {
        let test = try TestService(models: [TestModel(inputSize: 96)]) { $0.threads = 1 }
        defer { test.stop() }
        let picture = try Upload.jpeg("444")
        let targets = ["/v1/classify", "/v1/classify?explain=cam:2", "/v1/embed", "/v1/classify?explain=cam"]
        let alone = try targets.map { try test.exchange("POST", $0, body: picture).text }
        #expect(Set(alone).count == 4)
        #expect(try test.together(targets, body: picture) == alone)
        #expect(test.service.context.catalogue.all[0].batcher.recentBatches.contains { $0.size > 1 })
    }

    /// Has the only worker wait, and tells when requests lie behind it.
    private static func closeGate(_ test: TestService) -> (gate: Gate, hasQueued: (Int) -> Bool) {
        let pool = test.service.context.pool
        let gate = test.service.closeGate()
        #expect(eventually { pool.queuedJobs.load(ordering: .relaxed) == 0 })
        return (gate, { count in eventually { pool.queuedJobs.load(ordering: .relaxed) == count } })
    }

    /// The only worker runs both in one batch, and then waits at a second gate, behind which lies what makes the maps.
    @Test func othersOfTheBatchAreAnsweredBeforeTheMapsAreMade() throws {
        let test = try TestService(models: [TestModel(inputSize: 96)]) {
            $0.threads = 1
            $0.maxBatchSize = 2
            $0.maxQueueDelayMicroseconds = 600_000_000
        }
        defer { test.stop() }
        let (gate, hasQueued) = Self.closeGate(test)
        let clients = try ["?explain=cam:5", ""].enumerated().map { index, query in
            let client = try test.client()
            try client.send("POST", "/v1/classify\(query)", body: Upload.jpeg("444"))
            #expect(hasQueued(index + 1))
            return client
        }
        let second = test.service.closeGate()
        gate.open()
        let plain: Answer = try clients[1].receive().decoded()
        #expect(plain.results[0].cam == nil && test.placesInUse == 1)
        #expect(eventually { test.service.context.catalogue.all[0].batcher.recentBatches.map(\.size) == [2] })
        second.open()
        let explained: Answer = try clients[0].receive().decoded()
        #expect(explained.results[0].cam?.maps.count == 5)
        #expect(explained.results[0].predictions == plain.results[0].predictions)
    }

    @Test func mapsNotYetMadeAreLetGoWithTheirClient() throws {
        let test = try TestService(models: [TestModel(inputSize: 96)]) { $0.threads = 1 }
        defer { test.stop() }
        let (gate, hasQueued) = Self.closeGate(test)
        var client: RawClient? = try test.client()
        try client?.send("POST", "/v1/classify?explain=cam", body: Upload.jpeg("444"))
        #expect(hasQueued(1))
        let second = test.service.closeGate()
        gate.open()
        #expect(eventually { test.service.context.catalogue.all[0].batcher.recentBatches.count == 1 })
        client = nil
        #expect(eventually { test.placesInUse == 0 })
        #expect(test.service.context.backlog.total == PendingWork())
        second.open()
        #expect(try test.classify(Upload.jpeg("444"), query: "?explain=cam").status == 200)
    }

    @Test func aDeadlineHoldsForTheMapsToo() throws {
        let clock = ManualClock()
        let test = try TestService(models: [TestModel(inputSize: 96)], clock: clock) { $0.threads = 1 }
        defer { test.stop() }
        let (gate, hasQueued) = Self.closeGate(test)
        let client = try test.client()
        try client.send(
            "POST", "/v1/classify?explain=cam", fields: [("X-Request-Deadline-Ms", "1000")], body: Upload.jpeg("444"))
        #expect(hasQueued(1))
        let second = test.service.closeGate()
        gate.open()
        #expect(eventually { test.service.context.catalogue.all[0].batcher.recentBatches.count == 1 })
        clock.advance(seconds: 2)
        second.open()
        #expect(try client.receive().status == 504)
        #expect(test.service.context.backlog.total == PendingWork())
    }

    /// Who waits, waits for the maps of others.
    @Test func mapsCountInTheWorkThatLiesBefore() throws {
        let test = try TestService(models: [TestModel(inputSize: 96)]) { $0.threads = 1 }
        defer { test.stop() }
        let picture = try Upload.jpeg("444")
        let backlog = test.service.context.backlog
        // One that cannot be read leaves nothing behind.
        for body in [picture, Upload.json([picture, Array(picture.dropLast(100))])] {
            #expect(try test.classify(body, query: "?explain=cam:5").status == 200)
            #expect(backlog.total == PendingWork())
        }
        #expect(test.service.finishJobs())
        let gate = test.service.closeGate()
        func send(_ query: String, places: Int) throws -> RawClient {
            let client = try test.client()
            try client.send("POST", "/v1/classify\(query)", body: picture)
            #expect(eventually { test.placesInUse == places })
            return client
        }
        let plain = try send("", places: 1)
        let one = backlog.total.totalNanoseconds
        let explained = try send("?explain=cam:5", places: 2)
        #expect(one > 0 && backlog.total.totalNanoseconds > 2 * one && backlog.total.count == 2)
        gate.open()
        #expect(try plain.receive().status == 200)
        #expect(try explained.receive().status == 200)
        #expect(backlog.total == PendingWork())
    }

    @Test func imagesHaveTheirOwnMapsAndOneThatIsNoneHasNone() throws {
        let test = try Self.service()
        defer { test.stop() }
        let (good, other) = (try Upload.jpeg("444"), try Upload.jpeg("tall"))
        let answer: Answer = try test.classify(
            Upload.json([good, Array(good.dropLast(100)), other, good]), query: "?explain=cam"
        ).decoded()
        #expect(answer.results.map { $0.cam != nil } == [true, false, true, true])
        #expect(answer.results[1].error?.status == 422)
        #expect(answer.results[0].cam == answer.results[3].cam && answer.results[0].cam != answer.results[2].cam)
        let alone: Answer = try test.classify(other, query: "?explain=cam").decoded()
        #expect(alone.results[0].cam == answer.results[2].cam)
    }

    /// The test's model resizes to 104 and crops 96: of the short side 96/104 is seen, in the picture as it is turned.
    @Test(arguments: ["444", "tall", "orientation-6", "tall-turned"])
    func theBoxIsInTheTurnedPicture(name: String) throws {
        let test = try Self.service()
        defer { test.stop() }
        let answer: Answer = try test.classify(Upload.jpeg(name), query: "?explain=cam").decoded()
        let entry = answer.results[0]
        let (width, height) = (Double(try #require(entry.width)), Double(try #require(entry.height)))
        let box = try #require(entry.cam).box
        let side = min(width, height) * 96 / 104
        #expect(abs(box.width - side) < 0.05 * side && abs(box.height - side) < 0.05 * side)
        #expect(abs(box.x + box.width / 2 - width / 2) < 0.02 * width)
        #expect(abs(box.y + box.height / 2 - height / 2) < 0.02 * height)
    }

    @Test(arguments: [
        ("explain=gradcam", "explain: 'gradcam' is not known; there is cam, and cam:1 to cam:5"),
        ("explain=", "explain: '' is not known; there is cam, and cam:1 to cam:5"),
        ("explain=cam:6", "explain: 'cam:6' is not known; there is cam, and cam:1 to cam:5"),
        ("explain=cam:0", "explain: 'cam:0' is not known; there is cam, and cam:1 to cam:5"),
        ("explain=cam:", "explain: 'cam:' is not known; there is cam, and cam:1 to cam:5"),
        ("explain=cam:01", "explain: 'cam:01' is not known; there is cam, and cam:1 to cam:5"),
        ("explain=CAM", "explain: 'CAM' is not known; there is cam, and cam:1 to cam:5"),
        ("explain=cam&explain=cam", "explain: is given twice"),
    ])
    func whatItDoesNotKnowIsNamed(query: String, detail: String) throws {
        let test = try Self.service()
        defer { test.stop() }
        let refused = try test.classify(Upload.jpeg("444"), query: "?\(query)")
        #expect(refused.status == 400)
        #expect(try refused.decoded(Problem.self).detail == detail)
    }

    @Test func isNoParameterOfEmbed() throws {
        let test = try Self.service()
        defer { test.stop() }
        #expect(try test.exchange("POST", "/v1/embed?explain=cam", body: Upload.jpeg("444")).status == 400)
    }

    @Test func aMapWithoutDifferencesIsBlack() {
        let flat = ActivationMap(classIndex: 0, height: 1, width: 1, values: [7])
        #expect(Explanation.picture(flat, low: 7, high: 7).pixels.allSatisfy { $0 == 0 })
        let far = ActivationMap(
            classIndex: 0, height: 1, width: 2, values: [-.greatestFiniteMagnitude, .greatestFiniteMagnitude])
        let picture = Explanation.picture(far, low: far.values[0], high: far.values[1])
        #expect(picture.pixels.first == 0 && picture.pixels.last == 255)
    }

    /// However large the last feature map, the picture stays small.
    @Test func picturesAreOfModestSize() {
        for (side, expected) in [(1, 8), (7, 56), (19, 152), (32, 256), (33, 231), (128, 256)] {
            let map = ActivationMap(
                classIndex: 0, height: side, width: side, values: (0..<side * side).map { Float($0) })
            let picture = Explanation.picture(map, low: 0, high: Float(side * side))
            #expect(picture.width == expected && picture.height == expected)
        }
    }
}
