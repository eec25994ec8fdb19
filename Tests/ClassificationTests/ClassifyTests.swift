import Checkpoints
import Imaging
import Inference
import Parallelism
import TestSupport
import Testing

@testable import Classification

/// What whoever posts pictures gets.
struct ClassifyTests {
    @Test(
        arguments: [
            nil, "image/jpeg", "image/png", "application/octet-stream", "text/plain; charset=utf-8", "nonsense",
            // As `curl --data-binary` declares it.
            "application/x-www-form-urlencoded", "application/json",
        ])
    func takesARawImageWhateverItsType(type: String?) throws {
        let test = try TestService()
        defer { test.stop() }
        let response = try test.classify(
            Upload.jpeg("420"), fields: type.map { [("Content-Type", $0)] } ?? [])
        #expect(response.status == 200)
        #expect(response["content-type"] == "application/json")
        let answer: ClassifyAnswer = try response.decoded()
        #expect(answer.model == "lite" && answer.version == "1")
        #expect(answer.results.count == 1)
        #expect(answer.results[0].width == 97 && answer.results[0].height == 61)
        #expect(answer.results[0].predictions?.count == 5)
        #expect(answer.results[0].error == nil)
    }

    static let forms:
        [(name: String, fields: [(name: String, value: String)], make: @Sendable ([[UInt8]]) -> [UInt8])] =
            [("multipart", [Upload.multipartType], Upload.multipart), ("json", [], Upload.json)]

    @Test(arguments: [0, 1]) func answersSeveralImagesInTheOrderSent(form: Int) throws {
        let test = try TestService()
        defer { test.stop() }
        let form = Self.forms[form]
        let names = ["tall", "420", "one-pixel", "tall-turned", "reduced-8", "420", "grayscale"]
        let sizes: [[Int?]] = [[41, 150], [97, 61], [1, 1], [41, 150], [253, 331], [97, 61], [97, 61]]
        let images = try names.map(Upload.jpeg)
        for count in [1, 2, names.count] {
            let response = try test.classify(form.make(Array(images[..<count])), fields: form.fields)
            #expect(response.status == 200)
            let answer: ClassifyAnswer = try response.decoded()
            #expect(answer.results.map { [$0.width, $0.height] } == Array(sizes[..<count]))
        }
    }

    @Test(arguments: 1...8) func tellsTheSizeAfterOrientation(value: Int) throws {
        let test = try TestService()
        defer { test.stop() }
        let answer: ClassifyAnswer = try test.classify(Upload.jpeg("orientation-\(value)")).decoded()
        // The file itself is 70 × 53; from 5 on it is to be turned.
        #expect([answer.results[0].width, answer.results[0].height] == (value < 5 ? [70, 53] : [53, 70]))
    }

    @Test(
        arguments: [
            ("png/rgb-alpha-16-adam7.png", 13, 11), ("png/exif-after.png", 4, 6), ("webp/lossy-alpha.webp", 33, 21),
            ("webp/lossless.webp", 33, 21), ("webp/animated.webp", 16, 12),
        ])
    func classifiesPNGAndWebP(name: String, width: Int, height: Int) throws {
        let test = try TestService()
        defer { test.stop() }
        let image = try Fixtures.bytes(name)
        let answer: ClassifyAnswer = try test.classify(image).decoded()
        #expect(answer.results.map { [$0.width, $0.height] } == [[width, height]])
        #expect(answer.results[0].predictions?.count == 5)
        for form in Self.forms {
            let mixed: ClassifyAnswer = try test.classify(
                form.make([Upload.jpeg("420"), image]), fields: form.fields
            ).decoded()
            #expect(mixed.results.map { [$0.width, $0.height] } == [[97, 61], [width, height]])
            #expect(mixed.results[1].predictions == answer.results[0].predictions)
        }
    }

    @Test func answersWithWhatTheEngineMakesOfThePicture() throws {
        let test = try TestService()
        defer { test.stop() }
        let model = test.service.context.catalogue.all[0].model
        var decoder = ImageDecoder()
        let picture = try Upload.jpeg("444")
        let image = try decoder.prepare(picture.span, model.preprocessing)
        let pool = WorkerPool(workerCount: 1)
        defer { pool.shutdown() }
        var session = Session(plan: model.plan, capacity: 1)
        pool.withScope {
            session.run([.rgb(image.unsafePixels)], in: $0, scratch: ThreadScratch(slotCount: pool.slotCount))
        }
        let expected = Prediction.probabilities(logits: session.logits(of: 0))

        let answer: ClassifyAnswer = try test.classify(picture, query: "?top_k=10").decoded()
        let predictions = try #require(answer.results[0].predictions)
        #expect(Set(predictions.map(\.index)) == Set(0..<10))
        for prediction in predictions {
            #expect(prediction.probability == expected[prediction.index])
            #expect(prediction.label == TestModel.labels[prediction.index])
        }
        #expect(predictions.map(\.probability) == expected.sorted(by: >))
        #expect(abs(predictions.map { Double($0.probability) }.reduce(0, +) - 1) < 1e-5)
    }

    @Test(arguments: [("", 5), ("?top_k=1", 1), ("?top_k=7", 7), ("?top_k=10", 10)])
    func givesAsManyClassesAsAsked(query: String, count: Int) throws {
        let test = try TestService()
        defer { test.stop() }
        let all: ClassifyAnswer = try test.classify(Upload.jpeg("422"), query: "?top_k=10").decoded()
        let answer: ClassifyAnswer = try test.classify(Upload.jpeg("422"), query: query).decoded()
        #expect(answer.results[0].predictions == Array(try #require(all.results[0].predictions)[..<count]))
    }

    @Test(arguments: [(3, 3), (40, 10)]) func takesTheSettingWhereNoCountIsAsked(setting: Int, count: Int) throws {
        let test = try TestService { $0.topK = setting }
        defer { test.stop() }
        let answer: ClassifyAnswer = try test.classify(Upload.jpeg("422")).decoded()
        #expect(answer.results[0].predictions?.count == count)
    }

    @Test(
        arguments: [
            ("top_k=0", "top_k: '0' is not a positive whole number"),
            ("top_k=-1", "top_k: '-1' is not a positive whole number"),
            ("top_k=11", "top_k: 11 is not between 1 and 10"), ("top_k=", "top_k: '' is not a positive whole number"),
            ("top_k=5.0", "top_k: '5.0' is not a positive whole number"),
            ("top_k=99999999999999999999", "top_k: '99999999999999999999' is not a positive whole number"),
            ("top_k=five", "top_k: 'five' is not a positive whole number"),
            ("top_k=2&top_k=2", "top_k: is given twice"),
            ("model=lite&model=lite", "model: is given twice"), ("version=1&version=1", "version: is given twice"),
            ("version=v1", "version: 'v1' is not a positive whole number"),
            ("topk=3", "topk: no such parameter; there are model, version, top_k and explain"),
            ("a%22b=3", "a\"b: no such parameter; there are model, version, top_k and explain"),
        ])
    func namesTheParameterThatIsWrong(query: String, detail: String) throws {
        let test = try TestService()
        defer { test.stop() }
        let response = try test.classify(Upload.jpeg("422"), query: "?\(query)")
        #expect(response.status == 400)
        let problem: Problem = try response.decoded()
        #expect(problem.title == "Bad parameter")
        #expect(problem.detail == detail)
    }

    @Test func namesADeadlineThatIsNone() throws {
        let test = try TestService()
        defer { test.stop() }
        for value in ["0", "soon", "1.5"] {
            let response = try test.classify(Upload.jpeg("422"), fields: [("X-Request-Deadline-Ms", value)])
            #expect(response.status == 400)
            let problem: Problem = try response.decoded()
            #expect(problem.detail == "X-Request-Deadline-Ms: '\(value)' is not a positive whole number")
        }
    }

    @Test func tellsTheStagesInOrder() throws {
        let test = try TestService()
        defer { test.stop() }
        let stages = try test.classify(Upload.jpeg("reduced-8")).stages
        #expect(stages.map(\.name) == ["read", "decode", "resize", "queue", "compute", "encode"])
        #expect(stages.allSatisfy { $0.milliseconds >= 0 })
        #expect(stages.filter { ["decode", "compute"].contains($0.name) }.allSatisfy { $0.milliseconds > 0 })
    }

    @Test func echoesTheRequestIDOrMakesOne() throws {
        let test = try TestService()
        defer { test.stop() }
        let fields = [(name: "X-Request-Id", value: "from-the-client/1")]
        #expect(try test.classify(Upload.jpeg("420"), fields: fields)["x-request-id"] == "from-the-client/1")
        let refused = try test.classify([1, 2, 3], fields: fields)
        #expect(refused["x-request-id"] == "from-the-client/1")
        #expect(try refused.decoded(Problem.self).request_id == "from-the-client/1")
        let made = try (0..<3).map { _ in try test.classify([1, 2, 3]) }
        #expect(Set(made.compactMap { $0["x-request-id"] }).count == 3)
        for response in made { #expect(try response.decoded(Problem.self).request_id == response["x-request-id"]) }
    }

    @Test func answersOneErrorAmongSeveral() throws {
        let test = try TestService()
        defer { test.stop() }
        let sound = try Upload.jpeg("420")
        let images = [sound, Array(sound[..<(sound.count / 2)]), Array("GIF89a".utf8), [], sound]
        for form in Self.forms {
            let response = try test.classify(form.make(images), fields: form.fields)
            #expect(response.status == 200)
            let results = try response.decoded(ClassifyAnswer.self).results
            #expect(results.map { $0.error?.status } == [nil, 422, 415, 415, nil])
            #expect(results[0].predictions != nil && results[0].predictions == results[4].predictions)
            #expect(results[1].error?.title == "Unreadable image")
            #expect(results[1].error?.detail.hasPrefix("damaged image, at byte ") == true)
            #expect(results[2].error?.detail == "not a JPEG, PNG or WebP image: GIF")
            #expect(results[3].error?.detail == "not a JPEG, PNG or WebP image: no bytes")
            #expect(results.allSatisfy { ($0.error == nil) == ($0.width != nil) })
        }
        let page = try test.metrics()
        #expect(page.rejections("bad_image") == 6)
        #expect(page["swiftlet_images_total", model: "lite"] == 4)
        #expect(page.requests("/v1/classify", 200) == 2)
    }
}
