import Parallelism
import TestSupport
import Testing

@testable import Classification

/// What is wrong with a request is said, and nothing else happens.
struct V2RefusalTests {
    private static func input(_ members: String, _ rest: String = "") -> String {
        #"{"inputs":[{"name":"input",\#(members)}]\#(rest)}"#
    }

    static let refusals: [(json: String, binary: [UInt8]?, status: Int, error: String)] = [
        ("", nil, 400, "malformed JSON at byte 0 of the request, expected '{'"),
        ("", [], 400, "the body is empty; send an image, a multipart form or JSON"),
        (#"{"inputs":[]}"#, nil, 400, "'inputs' is empty, expected 'input'"),
        (
            #"{"inputs":[{"name":"x","datatype":"UINT8","shape":[1],"data":[1]}]}"#, nil, 400,
            "no input is called 'x'; there is 'input'"
        ),
        (
            input(#""datatype":"INT64","shape":[1],"data":[1]"#), nil, 400,
            "input 'input' has datatype 'INT64', expected one of FP32, UINT8, BYTES"
        ),
        (
            input(#""datatype":"FP32","shape":[1,2],"data":[1,2]"#), nil, 400,
            "input 'input' has shape [1, 2], expected for FP32 [N, 3, 32, 32], normalised"
        ),
        (
            input(#""datatype":"FP32","shape":[3,1],"data":[1,2,3]"#), nil, 400,
            "input 'input' has shape [3, 1], expected for FP32 [N, 3, 32, 32], normalised"
        ),
        (
            input(#""datatype":"UINT8","shape":[1,1,1,3],"data":[1,2,3]"#), nil, 400,
            "input 'input' has shape [1, 1, 1, 3], expected for UINT8 [N, 32, 32, 3], the model's own size; "
                + "pictures of other sizes go as BYTES"
        ),
        (
            input(#""datatype":"BYTES","shape":[1,1,1],"data":["a"]"#), nil, 400,
            "input 'input' has shape [1, 1, 1], expected for BYTES [N] or [N, 1]"
        ),
        (
            input(#""datatype":"BYTES","shape":[2],"parameters":{"binary_data_size":5}"#), [9, 0, 0, 0, 1], 400,
            "input 'input' ends within element 0"
        ),
        (
            input(#""datatype":"BYTES","shape":[65],"data":["a"]"#), nil, 400,
            "input 'input' has 1 elements, but its shape has 65"
        ),
        (
            input(#""datatype":"BYTES","shape":[1],"data":["a"]"#, #","outputs":[{"name":"scores"}]"#), nil, 400,
            "no output is called 'scores'; there are 'probabilities', 'logits', 'features'"
        ),
        (
            input(#""datatype":"BYTES","shape":[1],"data":["no picture"]"#), nil, 415,
            "not a JPEG, PNG or WebP image: unrecognised data; BYTES in JSON are text, so images go as binary data "
                + "(binary_data_size)"
        ),
        (
            input(#""datatype":"UINT8","shape":[65,32,32,3],"parameters":{"binary_data_size":199680}"#),
            [UInt8](repeating: 0, count: 199_680), 413, "more than the limit of 64 images a request"
        ),
    ]

    @Test(arguments: refusals.indices) func saysWhatIsWrong(index: Int) throws {
        let test = try TestService()
        defer { test.stop() }
        let refusal = Self.refusals[index]
        let response = try test.infer(refusal.json, refusal.binary)
        #expect(response.status == refusal.status && response["content-type"] == "application/json")
        #expect(try response.v2Error() == refusal.error)
        #expect(eventually { test.placesInUse == 0 })
        #expect(test.service.context.catalogue.all[0].statistics.snapshot.fail.count == 1)
    }

    /// As other servers of the protocol have it: `perf_analyzer` sends any bits at all.
    @Test func numbersThatAreNoneAreComputedAsTheyAre() throws {
        let test = try TestService { $0.threads = 1 }
        defer { test.stop() }
        let picture = try Upload.jpeg("420")
        let clean = try test.infer(pictures: [picture]).inference()
        let pixels = 3 * 32 * 32
        var values = [Float](repeating: 0.25, count: 2 * pixels)
        for index in 0..<pixels { values[pixels + index] = index % 3 == 0 ? .infinity : .nan }
        let members = #""datatype":"FP32","shape":[2,3,32,32]"#
        func infer(_ outputs: String) throws -> RawResponse {
            try test.infer(Self.input(members, #","outputs":[\#(outputs)]"#), V2.bytes(values))
        }
        let binary = try infer(#"{"name":"features","parameters":{"binary_data":true}}"#)
        #expect(binary.status == 200)
        let features = try #require(binary.inference().numbers("features"))
        #expect(features[..<1280].allSatisfy { $0.isFinite })
        // Nobody else sees anything of it.
        #expect(try test.infer(pictures: [picture]).inference().numbers("logits") == clean.numbers("logits"))
        let logits = try #require(
            try infer(#"{"name":"logits","parameters":{"binary_data":true}}"#).inference().numbers("logits"))
        let classes = try infer(#"{"name":"logits","parameters":{"classification":2}}"#)
        #expect(classes.status == 200)
        #expect(try classes.inference().texts("logits")?.count == 4)
        let json = try infer(#"{"name":"logits"}"#)
        if logits.allSatisfy(\.isFinite) {
            #expect(json.status == 200)
        } else {
            #expect(json.status == 400)
            #expect(
                try json.v2Error()
                    == "'logits' of image 1 is not finite, for which JSON has no word; ask for binary data")
        }
    }

    @Test func aPictureWithoutItsHeaderFieldIsToldOfIt() throws {
        let test = try TestService()
        defer { test.stop() }
        let response = try test.exchange("POST", "/v2/models/lite/infer", body: Upload.jpeg("420"))
        #expect(response.status == 400)
        #expect(
            try response.v2Error()
                == "malformed JSON at byte 0 of the request, expected '{'; a body that is one image needs the field "
                + "'Inference-Header-Content-Length: 0'")
    }

    @Test func aPictureThatCannotBeReadFailsTheRequest() throws {
        let test = try TestService()
        defer { test.stop() }
        let good = try Upload.jpeg("420")
        let response = try test.infer(pictures: [good, Array(good.dropLast(100)), good])
        #expect(response.status == 422)
        #expect(try response.v2Error().hasPrefix("image 1: "))
    }

    @Test(arguments: ["-1", "x", "1000000"]) func refusesHeaderLengths(text: String) throws {
        let test = try TestService()
        defer { test.stop() }
        let response = try test.exchange("POST", "/v2/models/lite/infer", fields: [(V2.length, text)], body: [1, 2, 3])
        #expect(response.status == 400)
        #expect(
            try response.v2Error()
                == "Inference-Header-Content-Length is '\(text)', expected a whole number from 0 to the body's 3 bytes")
    }

    /// A request with a picture that is damaged, as its decoding would tell.
    private static func damaged(timeout: Int) throws -> (json: String, binary: [UInt8]) {
        let binary = V2.bytes([Array(try Upload.jpeg("420").dropLast(100))])
        let json = input(
            #""datatype":"BYTES","shape":[1,1],"parameters":{"binary_data_size":\#(binary.count)}"#,
            #","parameters":{"timeout":\#(timeout)}"#)
        return (json, binary)
    }

    @Test(arguments: [(2500, "2500 µs"), (1000, "1 ms")])
    func aTimeoutThatCannotBeMetIsRefusedBeforeDecoding(timeout: Int, text: String) throws {
        let clock = ManualClock()
        let test = try TestService(clock: clock)
        defer { test.stop() }
        let (json, binary) = try Self.damaged(timeout: timeout)
        let client = try test.client()
        try client.send(
            "POST /v2/models/lite/infer HTTP/1.1\r\nHost: a\r\nContent-Length: \(json.utf8.count + binary.count)\r\n"
                + "\(V2.length): \(json.utf8.count)\r\nExpect: 100-continue\r\n\r\n")
        #expect(try client.receive().status == 100)
        clock.advance(seconds: 0.0025)
        try client.send(Array(json.utf8) + binary)
        let refused = try client.receive()
        #expect(refused.status == 503 && refused["retry-after"] == "1")
        #expect(
            try refused.v2Error() == "the answer would not be ready within \(text) of the request's first byte")
        #expect(try test.metrics().rejections("deadline") == 1)
    }

    @Test func aTimeoutMayPassInTheQueue() throws {
        let clock = ManualClock()
        let test = try TestService(clock: clock) { $0.threads = 1 }
        defer { test.stop() }
        let gate = test.service.closeGate()
        // The earlier one holds, of timeout and deadline.
        let clients = try [(2500, "5000"), (60_000_000, "2"), (2501, "3")].map { timeout, deadline in
            let (json, binary) = try Self.damaged(timeout: timeout)
            let client = try test.client()
            try client.send(
                "POST", "/v2/models/lite/infer",
                fields: [(V2.length, String(json.utf8.count)), ("X-Request-Deadline-Ms", deadline)],
                body: Array(json.utf8) + binary)
            return client
        }
        #expect(eventually { test.placesInUse == 3 })
        clock.advance(seconds: 0.002_500_5)
        gate.open()
        for (client, time) in zip(clients, ["2500 µs", "2 ms"]) {
            let late = try client.receive()
            #expect(late.status == 504)
            #expect(try late.v2Error() == "\(time) passed before the image's turn came")
        }
        // The other one was decoded.
        #expect(try clients[2].receive().status == 422)
    }
}
