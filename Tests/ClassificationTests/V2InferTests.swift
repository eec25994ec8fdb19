import Imaging
import Inference
import TestSupport
import Testing

@testable import Classification

/// Inference by the Open Inference Protocol.
struct V2InferTests {
    private static let names = ["420", "grayscale", "reduced-8", "orientation-6"]

    /// A picture's pixels as the service prepares it, and what the network reads for them.
    private static func prepared(_ model: ClassifierModel, _ name: String) throws -> (pixels: [UInt8], planar: [Float])
    {
        var decoder = ImageDecoder()
        let picture = try Upload.jpeg(name)
        let image = try decoder.prepare(picture.span, model.preprocessing)
        let pixels = image.withUnsafePixels { Array($0) }
        // As docs/api.md says it: one product and one sum, rounded once together.
        let description = model.stored.description
        let count = pixels.count / 3
        var planar: [Float] = []
        for channel in 0..<3 {
            let deviation = description.standardDeviation[channel]
            let (scale, shift) = (1 / (255 * deviation), -description.mean[channel] / deviation)
            for pixel in 0..<count { planar.append(shift.addingProduct(Float(pixels[3 * pixel + channel]), scale)) }
        }
        return (pixels, planar)
    }

    @Test func theSamePictureGivesTheSameBitsInEveryForm() throws {
        let test = try TestService()
        defer { test.stop() }
        let model = test.service.context.catalogue.all[0].model
        let prepared = try Self.names.map { try Self.prepared(model, $0) }
        let count = Self.names.count
        let asked = #","outputs":[{"name":"features"},{"name":"logits"},{"name":"probabilities"}]"#
        let pictures = try test.infer(pictures: try Self.names.map(Upload.jpeg), outputs: asked).inference()
        let planar = V2.bytes(prepared.flatMap(\.planar))
        let pixels = prepared.flatMap(\.pixels)
        let binary = #""parameters":{"binary_data_output":true}"#
        let others = [
            try test.infer(
                #"{\#(binary)\#(asked),"inputs":[{"name":"input","datatype":"FP32","shape":[\#(count),3,32,32],"#
                    + #""parameters":{"binary_data_size":\#(planar.count)}}]}"#, planar),
            try test.infer(
                #"{\#(binary)\#(asked),"inputs":[{"name":"input","datatype":"UINT8","shape":[\#(count),32,32,3],"#
                    + #""parameters":{"binary_data_size":\#(pixels.count)}}]}"#, pixels),
            try test.infer(
                #"{"inputs":[{"name":"input","datatype":"FP32","shape":[\#(count),3,32,32],"data":"#
                    + "\(prepared.map(\.planar))}]\(asked)}"),
            try test.infer(
                #"{"inputs":[{"name":"input","datatype":"UINT8","shape":[\#(count),32,32,3],"data":\#(pixels)}]\#(asked)}"#
            ),
        ]
        for response in others {
            let answer = try response.inference()
            for name in ["features", "logits", "probabilities"] {
                let expected = try #require(pictures.numbers(name))
                #expect(expected.count == count * (name == "features" ? 1280 : 10))
                #expect(answer.numbers(name)?.map(\.bitPattern) == expected.map(\.bitPattern), "\(name)")
            }
            #expect(answer.outputs.map(\.shape) == [[count, 1280], [count, 10], [count, 10]])
        }
        // And they are those of the other routes.
        let body = Upload.multipart(try Self.names.map(Upload.jpeg))
        let classified: ClassifyAnswer = try test.classify(
            body, query: "?top_k=10", fields: [Upload.multipartType]
        ).decoded()
        let probabilities = try #require(pictures.numbers("probabilities"))
        for (index, entry) in classified.results.enumerated() {
            for prediction in try #require(entry.predictions) {
                #expect(prediction.probability == probabilities[index * 10 + prediction.index])
            }
        }
        let embedded: EmbedAnswer = try test.exchange(
            "POST", "/v1/embed", fields: [Upload.multipartType], body: body
        ).decoded()
        #expect(embedded.results.flatMap { $0.embedding ?? [] } == pictures.numbers("features"))
    }

    @Test func aLonePictureMayBeARawBody() throws {
        let test = try TestService()
        defer { test.stop() }
        let picture = try Upload.jpeg("422")
        let response = try test.exchange("POST", "/v2/models/lite/infer", fields: [(V2.length, "0")], body: picture)
        #expect(response.status == 200 && response["content-type"] == "application/octet-stream")
        let answer = try response.inference()
        let expected = try test.infer(pictures: [picture]).inference()
        #expect(answer.outputs.map(\.name) == ["probabilities", "logits"])
        #expect(answer.outputs.allSatisfy { $0.data == nil && $0.shape == [1, 10] && $0.datatype == "FP32" })
        for name in ["probabilities", "logits"] { #expect(answer.numbers(name) == expected.numbers(name)) }
    }

    @Test func answersInTheFormThatIsAskedFor() throws {
        let test = try TestService()
        defer { test.stop() }
        let picture = try Upload.jpeg("422")
        func answer(_ outputs: String, _ parameters: String = "") throws -> (V2.Answer, RawResponse) {
            let response = try test.infer(pictures: [picture], outputs: outputs, parameters: parameters)
            #expect(response.status == 200)
            return (try response.inference(), response)
        }
        let (json, response) = try answer("")
        #expect(response[V2.length.lowercased()] == nil && response["content-type"] == "application/json")
        #expect(json.model_name == "lite" && json.model_version == "1" && json.id == nil)
        let (mixed, _) = try answer(
            #","outputs":[{"name":"logits","parameters":{"binary_data":true}},{"name":"probabilities"}],"id":"é \"7\"""#
        )
        #expect(mixed.id == "é \"7\"" && mixed.outputs.map(\.name) == ["logits", "probabilities"])
        #expect(mixed.binary.map { $0 != nil } == [true, false])
        let (other, _) = try answer(
            #","outputs":[{"name":"logits","parameters":{"binary_data":false}},{"name":"probabilities"}]"#,
            #""binary_data_output":true"#)
        #expect(other.binary.map { $0 != nil } == [false, true])
        for name in ["logits", "probabilities"] {
            #expect(mixed.numbers(name) == json.numbers(name) && other.numbers(name) == json.numbers(name))
        }
        #expect(try answer(#","outputs":[]"#).0.outputs.map(\.name) == ["probabilities", "logits"])
    }

    @Test func classifiesAsTheExtensionSays() throws {
        let test = try TestService()
        defer { test.stop() }
        let pictures = try ["422", "tall"].map(Upload.jpeg)
        let plain = try test.infer(pictures: pictures).inference()
        for (binary, name) in [(true, "probabilities"), (false, "logits")] {
            let answer = try test.infer(
                pictures: pictures,
                outputs: #","outputs":[{"name":"\#(name)","parameters":{"classification":3,"binary_data":\#(binary)}}]"#
            ).inference()
            #expect(answer.outputs[0].datatype == "BYTES" && answer.outputs[0].shape == [2, 3])
            let texts = try #require(answer.texts(name))
            let values = try #require(plain.numbers(name))
            for image in 0..<2 {
                let row = values[image * 10..<(image + 1) * 10].enumerated().sorted { $0.element > $1.element }
                for (place, (index, value)) in row.prefix(3).enumerated() {
                    let parts = texts[image * 3 + place].split(separator: ":", maxSplits: 2)
                    #expect(abs((Double(parts[0]) ?? .nan) - Double(value)) <= 5e-7)
                    #expect(parts[0].split(separator: ".")[1].count == 6)
                    #expect(Int(parts[1]) == index && parts[2] == TestModel.labels[index])
                }
            }
        }
        // No more than there are, and features have no labels.
        let all = try test.infer(
            pictures: [pictures[0]],
            outputs: #","outputs":[{"name":"logits","parameters":{"classification":1000}},"#
                + #"{"name":"features","parameters":{"classification":2}}]"#
        ).inference()
        #expect(all.outputs.map(\.shape) == [[1, 10], [1, 2]])
        #expect(all.texts("features")?.allSatisfy { $0.split(separator: ":").count == 2 } == true)
    }

    @Test func choosesTheVersionByThePath() throws {
        let test = try TestService(models: [
            try TestModel(name: "a.b", version: 2), try TestModel(name: "a.b", version: 10, inputSize: 64),
        ]) { $0.modelVersions = ["all"] }
        defer { test.stop() }
        for (path, version) in [
            ("/v2/models/a%2Eb/infer", "10"), ("/v2/models/a%2Eb/versions/2/infer", "2"),
            ("/v2/models/a%2Eb/versions/10/infer", "10"),
        ] {
            let answer = try test.exchange("POST", path, fields: [(V2.length, "0")], body: Upload.jpeg("420"))
                .inference()
            #expect(answer.model_name == "a.b" && answer.model_version == version)
        }
        for (path, status) in [
            ("/v2/models/nobody/infer", 404), ("/v2/models/a%2Eb/versions/3/infer", 404),
            ("/v2/models/a%2Eb/versions/x/infer", 400), ("/v2/models/a%2Eb/versions/0/infer", 400),
        ] {
            let refused = try test.exchange("POST", path, fields: [(V2.length, "0")], body: Upload.jpeg("420"))
            #expect(refused.status == status && refused["content-type"] == "application/json")
            #expect(try !refused.v2Error().isEmpty)
        }
    }
}

/// What `/v1/embed` answers.
struct EmbedAnswer: Decodable {
    struct Entry: Decodable {
        var embedding: [Float]?
        var error: Problem?
    }

    var model: String
    var version: String
    var results: [Entry]
}
