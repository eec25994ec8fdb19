import Checkpoints
import Inference
import TestSupport
import Testing

@testable import Classification

/// What whoever posts something else gets.
struct RefusalTests {
    struct Refusal: CustomTestStringConvertible, Sendable {
        var claim: String
        var fields: [(name: String, value: String)] = []
        var body: @Sendable () throws -> [UInt8]
        var status: Int
        var title: String
        /// How the detail begins.
        var detail: String
        /// The reason that metrics count it under.
        var reason: String?

        var testDescription: String { claim }
    }

    static let json = "expected {\"images\":[{\"b64\":\"…\"}]}"
    static let refusals: [Refusal] = [
        Refusal(
            claim: "an empty body", body: { [] }, status: 400, title: "Empty body",
            detail: "the body is empty; send an image, a multipart form or JSON"),
        Refusal(
            claim: "an empty multipart body", fields: [Upload.multipartType], body: { [] }, status: 400,
            title: "Empty body", detail: "the body is empty"),
        Refusal(claim: "blanks", body: { Array(" \r\n\t".utf8) }, status: 400, title: "Empty body", detail: "the body"),
        Refusal(
            claim: "broken JSON", body: { Array("{\"images\":[".utf8) }, status: 400, title: "Malformed body",
            detail: "the body begins like JSON but is not; \(json)"),
        Refusal(
            claim: "deep JSON", body: { Array("{\"images\":".utf8) + [UInt8](repeating: 0x5B, count: 1 << 20) },
            status: 400, title: "Malformed body", detail: "the body begins like JSON but is not; \(json)"),
        Refusal(
            claim: "JSON in UTF-16", body: { Upload.json([[1]]).drop { $0 != UInt8(ascii: "{") }.flatMap { [$0, 0] } },
            status: 400,
            title: "Malformed body", detail: "JSON must be UTF-8; \(json)"),
        Refusal(
            // A character that holds the byte of a quote would hide what follows from a count of bytes.
            claim: "JSON in UTF-16 with a thousand objects behind U+2200",
            body: {
                let objects = String(repeating: ",{}", count: 1000)
                return "{\"x\":\"\u{2200}\",\"images\":[{}\(objects)]}".utf16.flatMap {
                    [UInt8($0 & 255), UInt8($0 >> 8)]
                }
            }, status: 400, title: "Malformed body", detail: "JSON must be UTF-8; \(json)"),
        Refusal(
            claim: "JSON without images", body: { Array("{}".utf8) }, status: 400, title: "Malformed body",
            detail: "JSON: images is missing; \(json)"),
        Refusal(
            claim: "JSON with no image", body: { Array("{\"images\":[]}".utf8) }, status: 400, title: "Malformed body",
            detail: "no image in the body"),
        Refusal(
            claim: "JSON with an image that is a string", body: { Array("{\"images\":[{\"b64\":\"\"},\"x\"]}".utf8) },
            status: 400, title: "Malformed body", detail: "JSON: images[1] has another type; \(json)"),
        Refusal(
            claim: "JSON with an image without bytes", body: { Array("{\"images\":[{\"base64\":\"\"}]}".utf8) },
            status: 400, title: "Malformed body", detail: "JSON: images[0].b64 is missing; \(json)"),
        Refusal(
            claim: "JSON with a parameter", body: { Array("{\"images\":[{\"b64\":\"\"}],\"top_k\":3}".utf8) },
            status: 400, title: "Malformed body",
            detail: "JSON: top_k is not known; \(json); parameters go into the query"),
        Refusal(
            claim: "JSON with more of an image",
            body: { Array("{\"images\":[{\"b64\":\"\"},{\"b64\":\"\",\"name\":\"x\"}]}".utf8) }, status: 400,
            title: "Malformed body", detail: "JSON: images[1].name is not known; \(json)"),
        Refusal(
            claim: "JSON with null for bytes", body: { Array("{\"images\":[{\"b64\":null}]}".utf8) },
            status: 400, title: "Malformed body", detail: "JSON: images[0].b64 "),
        Refusal(
            claim: "broken base64", body: { Array("{\"images\":[{\"b64\":\"\"},{\"b64\":\"/9j/4*\"}]}".utf8) },
            status: 400, title: "Malformed body", detail: "JSON: images[1].b64 is not base64"),
        Refusal(
            claim: "base64 with padding in the middle", body: { Array("{\"images\":[{\"b64\":\"/9j/AA=A\"}]}".utf8) },
            status: 400, title: "Malformed body", detail: "JSON: images[0].b64 is not base64"),
        Refusal(
            claim: "base64 with too much padding", body: { Array("{\"images\":[{\"b64\":\"/9j/AA===\"}]}".utf8) },
            status: 400, title: "Malformed body", detail: "JSON: images[0].b64 is not base64"),
        Refusal(
            claim: "multipart without a boundary", fields: [("Content-Type", "multipart/form-data")],
            body: { try Upload.jpeg("420") }, status: 400, title: "Malformed body",
            detail: "multipart/form-data without a boundary"),
        Refusal(
            claim: "multipart with another boundary", fields: [("Content-Type", "multipart/form-data; boundary=x")],
            body: { Upload.multipart([try Upload.jpeg("420")]) }, status: 400, title: "Malformed body",
            detail: "malformed multipart body: the boundary is nowhere in it"),
        Refusal(
            claim: "multipart that ends early", fields: [Upload.multipartType],
            body: { Array(Upload.multipart([try Upload.jpeg("420")]).dropLast(20)) }, status: 400,
            title: "Malformed body",
            detail: "malformed multipart body: it ends before its closing boundary, after 0 parts"),
        Refusal(
            claim: "multipart with a malformed header", fields: [Upload.multipartType],
            body: { Array("--a frontier\r\nno colon\r\n\r\nx\r\n--a frontier--".utf8) }, status: 400,
            title: "Malformed body",
            detail: "malformed multipart body: the header of part 0 has a malformed line: 'no colon'"),
        Refusal(
            claim: "multipart without a part", fields: [Upload.multipartType], body: { Array("--a frontier--".utf8) },
            status: 400, title: "Malformed body", detail: "no image in the body"),
        Refusal(
            claim: "too many parts", fields: [Upload.multipartType],
            body: { Upload.multipart(Array(repeating: try Upload.jpeg("420"), count: 4)) }, status: 413,
            title: "Too many images", detail: "more than the limit of 3 images a request", reason: "too_large"),
        Refusal(
            claim: "many too many parts", fields: [Upload.multipartType],
            body: { Upload.multipart(Array(repeating: [], count: 90)) }, status: 413, title: "Too many images",
            detail: "more than the limit of 3 images a request", reason: "too_large"),
        Refusal(
            claim: "too many images in JSON", body: { Upload.json(Array(repeating: [1], count: 5)) }, status: 413,
            title: "Too many images", detail: "more than the limit of 3 images a request", reason: "too_large"),
        Refusal(
            claim: "a GIF", fields: [("Content-Type", "image/jpeg")], body: { Array("GIF89a".utf8) }, status: 415,
            title: "Unsupported image format", detail: "not a JPEG, PNG or WebP image: GIF", reason: "bad_image"),
        Refusal(
            claim: "a truncated PNG", body: { try Array(Fixtures.bytes("png/rgb-8.png").dropLast(20)) }, status: 422,
            title: "Unreadable image", detail: "damaged image, at byte ", reason: "bad_image"),
        Refusal(
            claim: "a truncated WebP", body: { try Array(Fixtures.bytes("webp/lossy.webp").dropLast(20)) }, status: 422,
            title: "Unreadable image",
            detail: "damaged image, at byte 300: the file ends early: it should have 320 bytes", reason: "bad_image"),
        Refusal(
            claim: "a WebP that takes too much memory", body: { try Fixtures.bytes("webp/large-lossless.webp") },
            status: 413, title: "Image too large", detail: "the picture takes ", reason: "too_large"),
        Refusal(
            claim: "no image at all", body: { Array("hello".utf8) }, status: 415, title: "Unsupported image format",
            detail: "not a JPEG, PNG or WebP image: unrecognised data", reason: "bad_image"),
        Refusal(
            claim: "a truncated image", body: { Array(try Upload.jpeg("420").dropLast(200)) }, status: 422,
            title: "Unreadable image", detail: "damaged image, at byte ", reason: "bad_image"),
        Refusal(
            claim: "the start of an image", body: { [0xFF, 0xD8] }, status: 422, title: "Unreadable image",
            detail: "damaged image, at byte ", reason: "bad_image"),
        Refusal(
            claim: "one damaged image in multipart", fields: [Upload.multipartType],
            body: { Upload.multipart([Array(try Upload.jpeg("420").dropLast(200))]) }, status: 422,
            title: "Unreadable image", detail: "damaged image, at byte ", reason: "bad_image"),
        Refusal(
            claim: "one foreign image in JSON", body: { Upload.json([Array("%PDF-1.4".utf8)]) }, status: 415,
            title: "Unsupported image format", detail: "not a JPEG, PNG or WebP image: PDF", reason: "bad_image"),
        Refusal(
            claim: "too many pixels", body: { try Upload.jpeg("reduced-8") }, status: 413, title: "Image too large",
            detail: "253×331 pixels are more than the limit of 83742", reason: "too_large"),
        Refusal(
            claim: "too many scans", body: { try Upload.jpeg("progressive") }, status: 413, title: "Image too large",
            detail: "more scans than the limit of 2", reason: "too_large"),
    ]

    @Test(arguments: refusals) func refuses(_ refusal: Refusal) throws {
        let test = try TestService {
            $0.maxImagesPerRequest = 3
            $0.maxPixels = 253 * 331 - 1
            $0.maxScans = 2
            $0.maxDecodeBytes = 97 * 73 * 4
        }
        defer { test.stop() }
        let client = try test.client()
        let response = try client.exchange("POST", "/v1/classify", fields: refusal.fields, body: refusal.body())
        #expect(response.status == refusal.status)
        #expect(response["content-type"] == "application/problem+json")
        #expect(response["retry-after"] == nil)
        let problem: Problem = try response.decoded()
        #expect(problem.type == "about:blank")
        #expect(problem.title == refusal.title)
        #expect(problem.status == refusal.status)
        #expect(problem.detail.hasPrefix(refusal.detail), "\(problem.detail)")
        #expect(problem.request_id == response["x-request-id"])
        let page = try test.metrics()
        for reason in RejectionReason.allCases.map(\.rawValue) {
            #expect(page.rejections(reason) == (reason == refusal.reason ? 1 : 0), "\(reason)")
        }
        #expect(page.requests("/v1/classify", refusal.status) == 1)
        // The connection goes on.
        #expect(try client.exchange("POST", "/v1/classify", body: Upload.jpeg("420")).status == 200)
        #expect(test.log.complaints == [])
    }

    /// `curl -d @photo.jpg` declares a form and leaves out what `--data-binary` sends.
    @Test(arguments: ["jpeg/420.jpg", "png/rgb-16.png"]) func whatCurlMakesOfAFileSentAsAFormIsExplained(_ name: String)
        throws
    {
        let test = try TestService()
        defer { test.stop() }
        let form = [(name: "Content-Type", value: "application/x-www-form-urlencoded")]
        let whole = try Fixtures.bytes(name)
        #expect(try test.classify(whole, fields: form).status == 200)
        let stripped = whole.filter { $0 != 0 && $0 != 0x0A && $0 != 0x0D }
        let refused = try test.classify(stripped, fields: form)
        #expect(refused.status == 415 || refused.status == 422)
        let detail = try refused.decoded(Problem.self).detail
        #expect(detail.contains("--data-binary @FILE") && detail.contains("-T FILE"), "\(detail)")
        // Of others it would be no help: who declares nothing, who sends JSON, and who sends line breaks.
        for (body, fields) in [(stripped, []), (Upload.json([stripped]), form), (stripped + [0x0A], form)] {
            let other = try test.classify(body, fields: fields)
            #expect(other.status == refused.status)
            #expect(try !other.decoded(Problem.self).detail.contains("curl"))
        }
    }

    @Test func refusesALongBodyBeforeItIsSent() throws {
        let test = try TestService { $0.maxBodyBytes = 4096 }
        defer { test.stop() }
        let client = try test.client()
        try client.send(
            "POST /v1/classify HTTP/1.1\r\nHost: a\r\nX-Request-Id: too-long\r\nContent-Length: 4097\r\n\r\n")
        let response = try client.receive()
        #expect(response.status == 413 && response["connection"] == "close")
        let problem: Problem = try response.decoded()
        #expect(problem.status == 413 && problem.request_id == "too-long")
        #expect(response["x-request-id"] == "too-long")
        let page = try test.metrics()
        #expect(page.rejections("too_large") == 1 && page.requests("/v1/classify", 413) == 1)
        #expect(try test.classify([UInt8](repeating: 0, count: 4096)).status == 415)
        // A route's own limit counts as the server's does.
        #expect(try test.exchange("GET", "/livez", fields: [("Transfer-Encoding", "chunked")]).status == 413)
        #expect(try test.metrics().rejections("too_large") == 2)
    }

    @Test(
        arguments: [
            ("?model=nobody", "no model is called 'nobody'"), ("?model=", "no model is called ''"),
            ("?version=2", "model 'lite' has no version 2"),
            ("?model=lite&version=1000000000", "model 'lite' has no version 1000000000"),
            ("?model=nobody&version=1", "no model is called 'nobody'"),
        ])
    func knowsNoOtherModel(query: String, detail: String) throws {
        let test = try TestService()
        defer { test.stop() }
        let response = try test.classify(Upload.jpeg("420"), query: query)
        #expect(response.status == 404)
        let problem: Problem = try response.decoded()
        #expect(problem.title == "No such model" && problem.detail == detail)
    }

    @Test(arguments: [("classifier.bias", Float.infinity), ("conv_stem.weight", .nan), ("bn1.running_var", -1)])
    func refusesToServeImpossibleWeights(name: String, value: Float) throws {
        var tensors = try TestModel.tensors()
        let shape = tensors[name]!.shape
        tensors[name] = .init(
            [value] + [Float](repeating: 1, count: shape.elementCount - 1), shape: shape)
        var model = try TestModel()
        model.weights = try TestModel.file(tensors)
        #expect(throws: InferenceError.impossibleWeights(tensor: name)) { try TestService(models: [model]) }
    }

    /// Weights that lead to no number are the owner's mistake, but end neither the process nor other images: not all of
    /// them show with the picture that a model is warmed up with.
    @Test func survivesAModelThatGivesNoNumbers() throws {
        var tensors = try TestModel.tensors()
        for name in ["conv_head.weight", "classifier.weight"] {
            let shape = tensors[name]!.shape
            tensors[name] = .init([Float](repeating: 3e38, count: shape.elementCount), shape: shape)
        }
        var model = try TestModel()
        model.weights = try TestModel.file(tensors)
        let test = try TestService()
        defer { test.stop() }
        try test.write(model)
        let stored = try #require(try test.service.models.repository?.model(named: "lite"))
        let loader = test.service.models.loader
        let runner = try loader.runner(ClassifierModel(stored), DirectoryState(of: stored.directory))
        _ = test.service.context.updateCatalogue { $0.publish(runner) }
        let response = try test.classify(Upload.jpeg("420"))
        #expect(response.status == 500)
        #expect(try response.decoded(Problem.self).detail == "the model's result for this image is not finite")
        let several = try test.classify(
            Upload.multipart([Upload.jpeg("420"), [1]]), fields: [Upload.multipartType])
        #expect(try several.decoded(ClassifyAnswer.self).results.map { $0.error?.status } == [500, 415])
    }
}
