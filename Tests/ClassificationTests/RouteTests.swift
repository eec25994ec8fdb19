import HTTPServer
import Logging
import TestSupport
import Testing

@testable import Classification

/// The routes beside `/v1/classify`.
struct RouteTests {
    private struct Models: Decodable {
        struct Model: Decodable {
            struct Preprocessing: Decodable {
                var resize: Int
                var crop: Int
                var filter: String
                var mean: [Float]
                var std: [Float]
            }

            var name: String
            var version: String
            var architecture: String
            var input_size: Int
            var precision: String
            var labels: Int
            var parameters: Int
            var macs: Int
            var preprocessing: Preprocessing
            var licence: String?
            var sha256: String?
            var state: String
            var reason: String
        }

        var default_model: String?
        var max_body_bytes: Int?
        var models: [Model]?
        var name: String?
        var versions: [Model]?
    }

    private static func repository() throws -> [TestModel] {
        try [
            TestModel(name: "beta", version: 2), TestModel(name: "beta", version: 10, inputSize: 64),
            TestModel(name: "alpha", version: 3),
        ]
    }

    @Test func listsTheModels() throws {
        let test = try TestService(models: Self.repository()) {
            $0.modelVersions = ["all"]
            $0.maxBodyBytes = 4_000_000
        }
        defer { test.stop() }
        let response = try test.exchange("GET", "/v1/models")
        #expect(response.status == 200 && response["content-type"] == "application/json")
        let list: Models = try response.decoded()
        #expect(list.default_model == "alpha" && list.max_body_bytes == 4_000_000)
        let models = try #require(list.models)
        #expect(models.map(\.name) == ["alpha", "beta", "beta"])
        #expect(models.map(\.version) == ["3", "2", "10"])
        #expect(models.map(\.input_size) == [32, 32, 64])
        for model in models {
            #expect(model.state == "READY" && model.reason == "")
            #expect(model.architecture == "efficientnet_lite0" && model.precision == "fp32")
            #expect(model.labels == 10 && model.licence == "CC0-1.0")
            // 4,652,008 with ImageNet's 1000 classes, as timm publishes it, of which 1281 a class.
            #expect(model.parameters == 4_652_008 - 990 * 1281)
            #expect(model.preprocessing.resize == model.input_size + 8)
            #expect(model.preprocessing.crop == model.input_size && model.preprocessing.filter == "bicubic")
            #expect(model.preprocessing.mean == [0.5, 0.5, 0.5] && model.preprocessing.std == [0.25, 0.25, 0.25])
        }
        // Four times the pixels: all but the classifier cost four times as much.
        let classifier = 1280 * 10
        #expect(models[2].macs - classifier == 4 * (models[1].macs - classifier))
    }

    @Test func describesAModelsVersions() throws {
        let test = try TestService(models: Self.repository()) { $0.modelVersions = ["all"] }
        defer { test.stop() }
        let beta: Models = try test.exchange("GET", "/v1/models/beta").decoded()
        #expect(beta.name == "beta")
        #expect(beta.versions?.map(\.version) == ["2", "10"])
        #expect(try test.exchange("GET", "/v1/models/b%65ta").decoded(Models.self).name == "beta")
        let unknown = try test.exchange("GET", "/v1/models/ga%22mma")
        #expect(unknown.status == 404 && unknown["content-type"] == "application/problem+json")
        let problem: Problem = try unknown.decoded()
        #expect(problem.title == "No such model" && problem.detail == "no model is called 'ga\"mma'")
        #expect(problem.request_id == unknown["x-request-id"])
    }

    @Test func computesTheDigestOfTheWeights() throws {
        // FIPS 180-4's own example of two blocks.
        #expect(
            SHA256.hexadecimal(Array("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".utf8))
                == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
        let test = try TestService()
        defer { test.stop() }
        let expected = SHA256.hexadecimal(try #require(TestModel().weights))
        let client = try test.client()
        var digest: String?
        #expect(
            try eventually {
                digest = try client.exchange("GET", "/v1/models/lite").decoded(Models.self).versions?.first?.sha256
                return digest != nil
            })
        #expect(digest == expected)
    }

    @Test(
        arguments: [
            ("", "alpha", "3"), ("?model=beta", "beta", "10"), ("?model=beta&version=2", "beta", "2"),
            ("?version=3", "alpha", "3"),
        ])
    func picksTheLatestVersionOfTheDefaultModel(query: String, name: String, version: String) throws {
        let test = try TestService(models: Self.repository()) { $0.modelVersions = ["all"] }
        defer { test.stop() }
        let answer: ClassifyAnswer = try test.classify(Upload.jpeg("420"), query: query).decoded()
        #expect(answer.model == name && answer.version == version)
    }

    @Test func versionsAnswerWithTheirOwnWeights() throws {
        let test = try TestService(models: Self.repository()) { $0.modelVersions = ["all"] }
        defer { test.stop() }
        let answers: [ClassifyAnswer] = try ["2", "10"].map {
            try test.classify(Upload.jpeg("reduced-8"), query: "?model=beta&version=\($0)").decoded()
        }
        #expect(answers[0].results[0].predictions != answers[1].results[0].predictions)
    }

    @Test func takesTheDefaultAndTheChoiceOfTheSettings() throws {
        let test = try TestService(models: Self.repository()) {
            $0.model = "beta"
            $0.loadModels = ["beta"]
        }
        defer { test.stop() }
        #expect(try test.classify(Upload.jpeg("420")).decoded(ClassifyAnswer.self).model == "beta")
        #expect(try test.classify(Upload.jpeg("420"), query: "?model=alpha").status == 404)
        #expect(test.service.modelNames == ["beta"] && test.service.defaultModel == "beta")
    }

    @Test func tellsHealth() throws {
        let test = try TestService()
        let client = try test.client()
        #expect(try client.exchange("GET", "/livez").status == 200)
        let ready = try client.exchange("GET", "/readyz")
        #expect(ready.status == 200 && ready["connection"] == nil)
        test.service.beginDrain()
        let draining = try client.exchange("GET", "/readyz")
        #expect(draining.status == 503 && draining["connection"] == "close" && draining["retry-after"] == "1")
        #expect(try draining.decoded(Problem.self).detail == "draining")
        #expect(try test.exchange("GET", "/livez").status == 200)
        #expect(try test.classify(Upload.jpeg("420")).status == 200)
        test.stop()
    }

    @Test func isNotReadyWhileItLoads() throws {
        var settings = Settings()
        settings.threads = 1
        let context = ServiceContext(
            settings: settings,
            metrics: ServiceMetrics(build: BuildInformation(version: "1", revision: "2"), isa: "portable"))
        defer { context.pool.shutdown() }
        var configuration = ServerConfiguration()
        configuration.host = "127.0.0.1"
        configuration.port = 0
        let models = try LiveModels(context, table: .fastest, logger: Logger(label: "test"))
        let server = Server(
            configuration: configuration,
            router: Routes.router(context, models, AccessPolicy(keys: nil, isAdminAddress: false)))
        let client = try RawClient(port: server.start().port)
        #expect(try client.exchange("GET", "/livez").status == 200)
        let loading = try client.exchange("GET", "/readyz")
        #expect(loading.status == 503 && loading["retry-after"] == "1")
        #expect(try loading.decoded(Problem.self).detail == "loading")
        // Not 404: the model may be there in a moment.
        for query in ["", "?model=lite"] {
            let refused = try client.exchange("POST", "/v1/classify\(query)", body: Upload.jpeg("420"))
            #expect(refused.status == 503 && refused["retry-after"] == "1")
        }
        #expect(try client.exchange("GET", "/v1/models/lite").status == 503)
        #expect(try client.exchange("GET", "/v1/models").text == "{\"max_body_bytes\":16777216,\"models\":[]}")
        #expect(try client.exchange("GET", "/metrics").status == 200)
        // A drain that begins meanwhile stays one.
        context.beginDrain()
        context.becomeReady()
        #expect(try client.exchange("GET", "/readyz").decoded(Problem.self).detail == "draining")
        let done = Signal<DrainReport>()
        server.finishDrain { done.send($0) }
        #expect(done.wait() != nil)
    }

    @Test(arguments: ["/v1/models", "/v1/models/lite", "/livez", "/readyz", "/metrics"])
    func answersHeadAndOptions(path: String) throws {
        let test = try TestService()
        defer { test.stop() }
        let client = try test.client()
        let head = try client.exchange("HEAD", path)
        #expect(head.status == 200 && Int(head["content-length"] ?? "") ?? 0 > 0)
        let options = try client.exchange("OPTIONS", path)
        #expect(options.status == 204 && options["allow"] == "GET, HEAD, OPTIONS")
        let post = try client.exchange("POST", path, body: [])
        #expect(post.status == 405 && post["allow"] == "GET, HEAD, OPTIONS")
        #expect(try client.exchange("GET", path)["content-type"] == head["content-type"])
    }

    @Test func answersOtherMethodsAndPathsWithProblems() throws {
        let test = try TestService()
        defer { test.stop() }
        let client = try test.client()
        #expect(try client.exchange("OPTIONS", "/v1/classify")["allow"] == "OPTIONS, POST")
        let get = try client.exchange("GET", "/v1/classify")
        #expect(get.status == 405 && get["allow"] == "OPTIONS, POST")
        #expect(try get.decoded(Problem.self).status == 405)
        let nowhere = try client.exchange("GET", "/v1")
        #expect(nowhere.status == 404)
        #expect(try nowhere.decoded(Problem.self).request_id == nowhere["x-request-id"])
    }
}
