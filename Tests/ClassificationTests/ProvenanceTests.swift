import TestSupport
import Testing

@testable import Classification

/// What answers tell of what made them.
struct ProvenanceTests {
    private struct Models: Decodable {
        struct Version: Decodable {
            var version: String
            var sha256: String?
        }

        var versions: [Version]
    }

    private func digest(_ test: TestService) throws -> String? {
        try test.exchange("GET", "/v1/models/lite").decoded(Models.self).versions[0].sha256
    }

    @Test func classificationsNameTheirModel() throws {
        let test = try TestService(models: [TestModel(version: 12), TestModel(name: "other", version: 3)])
        defer { test.stop() }
        for (query, name, version) in [("", "lite", "12"), ("?model=other&version=3", "other", "3")] {
            let single = try test.classify(Upload.jpeg("420"), query: query)
            let several = try test.classify(
                Upload.multipart([Upload.jpeg("420"), [1]]), query: query, fields: [Upload.multipartType])
            // Of a picture that it cannot read, too.
            let refused = try test.classify([0xFF, 0xD8], query: query)
            #expect(refused.status == 422)
            for response in [single, several, refused] {
                #expect(response["x-model"] == name && response["x-model-version"] == version)
            }
        }
        // Nothing made these.
        let unknown = try test.classify(Upload.jpeg("420"), query: "?model=nobody")
        #expect(unknown.status == 404 && unknown["x-model"] == nil)
        #expect(try test.exchange("GET", "/v1/models")["x-model"] == nil)
    }

    @Test func theDigestIsThatOfWhatWasLoaded() throws {
        let test = try TestService()
        defer { test.stop() }
        let models = try [TestModel(), TestModel().retrained()]
        let digests = try models.map { SHA256.hexadecimal(try #require($0.weights)) }
        // Shortly after the start.
        #expect(try eventually { try digest(test) != nil })
        #expect(try digest(test) == digests[0])
        // Not of what lies there now.
        try test.write(models[1])
        #expect(try digest(test) == digests[0])
        #expect(try test.change(.load("lite")) == nil)
        #expect(try digest(test) == digests[1])
        try test.remove("lite/1/model.safetensors")
        #expect(try test.change(.load("lite")) != nil)
        #expect(try digest(test) == digests[1])
    }
}
