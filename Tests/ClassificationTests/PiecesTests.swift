import Batching
import HTTP
import HTTPTypes
import Imaging
import Parallelism
import TestSupport
import Testing

@testable import Classification
@testable import HTTPServer

private func request(
    query: [(String, String)] = [], fields: HTTPFields = [:], body: [UInt8] = [1]
) -> Request {
    let now = Instant(nanoseconds: 0)
    return Request(
        method: .post, path: "/v1/classify", parameters: [:],
        query: query.map { QueryItem(name: $0.0, value: $0.1) }, fields: fields, authority: nil, body: body,
        origin: RequestOrigin(), received: now, readDone: now, id: "id")
}

struct ImageParametersTests {
    @Test func readsQueryAndField() throws {
        let deadline: HTTPFields = [HTTPField.Name("x-request-deadline-ms")!: "250"]
        let parameters = try ImageParameters(
            request(query: [("version", "3"), ("model", "a b"), ("top_k", "7")], fields: deadline), takesTopK: true)
        #expect(parameters.model == "a b" && parameters.version == 3)
        #expect(parameters.topK == 7 && parameters.deadlineMilliseconds == 250)
        let none = try ImageParameters(request(), takesTopK: true)
        #expect(none.model == nil && none.version == nil && none.topK == nil && none.deadlineMilliseconds == nil)
    }

    @Test(arguments: [("1", 1), ("4", 4), ("0", 5), ("5", 5), ("10", 10), ("11", 10), ("1000000000", 10)])
    func readsThePriority(text: String, level: Int) throws {
        let fields: HTTPFields = [HTTPField.Name("X-Request-Priority")!: text]
        #expect(try ImageParameters(request(fields: fields), takesTopK: true).priority.level == level)
        #expect(try ImageParameters(request(), takesTopK: true).priority == .usual)
    }

    @Test(arguments: ["-1", "1.5", "high", ""]) func refusesWhatIsNoPriority(text: String) {
        let fields: HTTPFields = [HTTPField.Name("X-Request-Priority")!: text]
        #expect(throws: ServiceFailure.self) { try ImageParameters(request(fields: fields), takesTopK: true) }
    }

    @Test(arguments: ["0", "-3", "1000000001", "9223372036854775808", "1e3", " 1", "", "१"])
    func refusesWhatIsNoPositiveWholeNumber(text: String) {
        for name in ["top_k", "version"] {
            #expect(
                throws: ServiceFailure.badParameter(name: name, reason: "'\(text)' is not a positive whole number")
            ) { try ImageParameters(request(query: [(name, text)]), takesTopK: true) }
        }
    }
}

struct ImageUploadTests {
    @Test func theBytesDecideButForMultipart() throws {
        func form(_ type: String?, _ body: String) throws -> ImageUpload {
            try ImageUpload(request(fields: type.map { [.contentType: $0] } ?? [:], body: Array(body.utf8)))
        }
        for type in [nil, "application/json", "image/jpeg", "multipart", "multipart/mixed; boundary=b"] {
            guard case .raw = try form(type, "x"), case .json = try form(type, " \r\n\t{") else {
                Issue.record("\(type ?? "none")")
                continue
            }
        }
        for type in ["multipart/form-data; boundary=b", "Multipart/Form-Data ;charset=utf-8; Boundary=\"b\""] {
            guard case .multipart("b") = try form(type, "{") else {
                Issue.record("\(type)")
                continue
            }
        }
    }

    @Test func lendsEachPartsOwnBytes() throws {
        let pictures: [[UInt8]] = [[1, 2, 3], [], [13, 10, 45, 45], Array(repeating: 7, count: 1000)]
        let uploads: [(ImageUpload, [UInt8])] = [
            (.multipart(boundary: "a frontier"), Upload.multipart(pictures)), (.json, Upload.json(pictures)),
        ]
        for (upload, body) in uploads {
            let images = try upload.images(in: body, limit: 4)
            let bytes = images.map { $0.withBytes { span in span.indices.map { span[$0] } } }
            #expect(bytes == pictures)
            #expect(throws: ServiceFailure.tooManyImages(limit: 3)) {
                try upload.images(in: body, limit: 3)
            }
        }
    }
}

struct ServiceFailureTests {
    @Test(
        arguments: [
            (0, "1", nil), (0.000_1, "1", "1"), (0.999, "1", "999"), (1, "1", "1000"), (1.000_1, "2", "1001"),
            (61.5, "62", "61500"),
        ] as [(Double, String, String?)])
    func roundsRetryAfterUp(seconds: Double, whole: String, milliseconds: String?) {
        let failures: [ServiceFailure] = [
            .queueFull(places: 1, retryAfterSeconds: seconds),
            .waitTooLong(seconds: 0.4, retryAfterSeconds: seconds),
            .deadlineUnmeetable(microseconds: 5000, retryAfterSeconds: seconds),
        ]
        for failure in failures {
            let response = failure.response(to: RequestReference(id: "id", path: "/v1/classify"))
            #expect(response.status == .serviceUnavailable)
            #expect(response.fields[.retryAfter] == whole)
            #expect(response.fields[HTTPField.Name("Retry-After-Ms")!] == milliseconds)
        }
    }

    @Test(arguments: [("/v2", true), ("/v2/models/a/infer", true), ("/v20", false), ("/v1/classify", false)])
    func speaksTheProtocolOfItsPath(path: String, isV2: Bool) {
        let response = ServiceFailure.emptyBody.response(to: RequestReference(id: "an id", path: path))
        let body = String(decoding: response.body, as: UTF8.self)
        #expect((body == #"{"error":"\#(ServiceFailure.emptyBody.detail)"}"#) == isV2)
        #expect((response.fields[.contentType] == "application/json") == isV2)
    }

    static let presentations: [(ServiceFailure, Int, String?)] = [
        (.badParameter(name: "a", reason: "b"), 400, nil), (.emptyBody, 400, nil), (.badBody(reason: "a"), 400, nil),
        (.tooManyImages(limit: 2), 413, "too_large"), (.tooLargeToHold(limit: 9), 413, "too_large"),
        (.badTensor(reason: "a"), 400, nil),
        (.coding(.unknown("br")), 415, nil), (.coding(.damaged(.gzip)), 400, nil),
        (.coding(.truncated(.deflate)), 400, nil), (.coding(.trailingBytes(.gzip, count: 3)), 400, nil),
        (.coding(.tooLong(maximum: 5)), 413, "too_large"), (.coding(.noMemory), 503, "held_bytes"),
        (.image(.unknownFormat(found: "GIF")), 415, "bad_image"),
        (.image(.damaged(reason: "a", offset: 1)), 422, "bad_image"),
        (.image(.unsupported(reason: "a")), 422, "bad_image"),
        (.image(.tooManyPixels(width: 2, height: 3, limit: 5)), 413, "too_large"),
        (.image(.tooManyScans(limit: 5)), 413, "too_large"),
        (.image(.sideTooLong(width: 70_000, height: 1, limit: 65_535)), 413, "too_large"),
        (.image(.tooMuchMemory(reason: "a", limit: 5)), 413, "too_large"), (.image(.outOfMemory), 503, nil),
        (.unknownModel(name: "a"), 404, nil), (.unknownVersion(model: "a", version: 2), 404, nil),
        (.notLoaded(model: "a", version: 2), 404, nil), (.defaultNotLoaded(model: "a"), 404, nil),
        (.loadFailed(reason: "a"), 422, nil),
        (.queueFull(places: 1, retryAfterSeconds: 0), 503, "queue_full"),
        (.waitTooLong(seconds: 0.4, retryAfterSeconds: 0), 503, "queue_wait"),
        (.deadlineUnmeetable(microseconds: 1500, retryAfterSeconds: 0), 503, "deadline"),
        (.deadlinePassed(microseconds: 1000), 504, "deadline"), (.notReady(reason: "loading"), 503, nil),
        (.resultNotFinite, 500, nil),
    ]

    @Test(arguments: presentations.indices) func hasAStatusAndAReason(index: Int) throws {
        let (failure, status, reason) = Self.presentations[index]
        let response = failure.response(to: RequestReference(id: "an id", path: "/v1/classify"))
        #expect(response.status.code == status)
        #expect(response.fields[.contentType] == "application/problem+json")
        #expect(failure.presentation.reason?.rawValue == reason)
        // The records say it of every failure, in words that name nothing of the request's.
        let word = try #require(response.reason)
        #expect(word == reason ?? failure.presentation.title.lowercased().replacing(" ", with: "_"))
        #expect(word.utf8.allSatisfy { (0x61...0x7A).contains($0) || $0 == 0x5F })
        // Every 503 says when to come again.
        #expect((response.fields[.retryAfter] != nil) == (status == 503))
        let problem = try decodeJSON(Problem.self, response.body)
        #expect(
            problem
                == Problem(
                    type: "about:blank", title: failure.presentation.title, status: status, detail: failure.detail,
                    request_id: "an id"))
    }
}
