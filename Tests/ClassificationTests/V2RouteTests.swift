import HTTPServer
import TestSupport
import Testing

@testable import Classification

/// The Open Inference Protocol beside inference.
struct V2RouteTests {
    @Test func pathsThatCannotBeDecodedGetTheProtocolsErrorsToo() throws {
        let test = try TestService()
        defer { test.stop() }
        for path in ["/v2/models/%00", "/v2/models/%zz/infer?x"] {
            let response = try test.exchange("GET", path)
            #expect(response.status == 400 && response["content-type"] == "application/json", "\(path)")
            #expect(response.text.hasPrefix("{\"error\":\""))
        }
        #expect(try test.exchange("GET", "/v1/models/%00")["content-type"] == "application/problem+json")
    }

    private struct Server: Decodable {
        var name: String
        var version: String
        var extensions: [String]
    }

    private struct Tensor: Decodable, Equatable {
        var name: String
        var datatype: String
        var shape: [Int]
    }

    private struct Metadata: Decodable {
        var name: String
        var versions: [String]
        var platform: String
        var inputs: [Tensor]
        var outputs: [Tensor]
    }

    private struct Configuration: Decodable {
        struct Tensor: Decodable, Equatable {
            var name: String
            var data_type: String
            var dims: [Int]
        }

        struct Batching: Decodable {
            var preferred_batch_size: [Int]
            var max_queue_delay_microseconds: Int
        }

        struct Cache: Decodable {
            var enable: Bool
        }

        var name: String
        var max_batch_size: Int
        var input: [Tensor]
        var output: [Tensor]
        var dynamic_batching: Batching
        var response_cache: Cache
    }

    private struct Statistics: Decodable {
        struct Duration: Decodable, Equatable {
            var count: Int
            var ns: Int
        }

        struct Inference: Decodable {
            var success: Duration
            var fail: Duration
            var queue: Duration
            var compute_input: Duration
            var compute_infer: Duration
            var compute_output: Duration
            var cache_hit: Duration
            var cache_miss: Duration
        }

        struct Batch: Decodable {
            var batch_size: Int
            var compute_input: Duration
            var compute_infer: Duration
            var compute_output: Duration
        }

        struct Model: Decodable {
            var name: String
            var version: String
            var last_inference: Int
            var inference_count: Int
            var execution_count: Int
            var inference_stats: Inference
            var batch_stats: [Batch]
        }

        var model_stats: [Model]
    }

    private static func repository() throws -> [TestModel] {
        try [
            TestModel(name: "beta", version: 2), TestModel(name: "beta", version: 10, inputSize: 64),
            TestModel(name: "alpha", version: 3),
        ]
    }

    @Test func tellsOfItself() throws {
        let test = try TestService(models: Self.repository()) { $0.modelVersions = ["all"] }
        defer { test.stop() }
        let server: Server = try test.exchange("GET", "/v2").decoded()
        #expect(server.name == "swiftlet" && server.version == "1.2.3")
        #expect(
            server.extensions == [
                "binary_tensor_data", "classification", "schedule_policy", "model_configuration", "model_repository",
                "statistics",
            ])
        let beta: Metadata = try test.exchange("GET", "/v2/models/beta").decoded()
        #expect(beta.name == "beta" && beta.versions == ["2", "10"] && !beta.platform.isEmpty)
        #expect(beta.inputs == [Tensor(name: "input", datatype: "FP32", shape: [-1, 3, 64, 64])])
        #expect(
            beta.outputs == [
                Tensor(name: "probabilities", datatype: "FP32", shape: [-1, 10]),
                Tensor(name: "logits", datatype: "FP32", shape: [-1, 10]),
            ])
        let older: Metadata = try test.exchange("GET", "/v2/models/beta/versions/2").decoded()
        #expect(older.inputs[0].shape == [-1, 3, 32, 32])
    }

    @Test func tellsAModelsConfiguration() throws {
        let test = try TestService(models: Self.repository()) {
            $0.modelVersions = ["all"]
            $0.maxBatchSize = 4
            $0.maxQueueSize = 20
            $0.maxQueueDelayMicroseconds = 7
        }
        defer { test.stop() }
        for path in ["/v2/models/beta/config", "/v2/models/beta/versions/10/config"] {
            let configuration: Configuration = try test.exchange("GET", path).decoded()
            #expect(configuration.name == "beta" && configuration.max_batch_size == 20)
            #expect(
                configuration.input
                    == [Configuration.Tensor(name: "input", data_type: "TYPE_FP32", dims: [3, 64, 64])])
            #expect(configuration.output.map(\.name) == ["probabilities", "logits"])
            #expect(configuration.output.allSatisfy { $0.data_type == "TYPE_FP32" && $0.dims == [10] })
            #expect(configuration.dynamic_batching.preferred_batch_size == [4])
            #expect(configuration.dynamic_batching.max_queue_delay_microseconds == 7)
            #expect(!configuration.response_cache.enable)
        }
    }

    @Test func tellsHealth() throws {
        let test = try TestService()
        let client = try test.client()
        for path in [
            "/v2/health/live", "/v2/health/ready", "/v2/models/lite/ready", "/v2/models/lite/versions/1/ready",
        ] {
            let response = try client.exchange("GET", path)
            #expect(response.status == 200 && response.body.isEmpty)
        }
        #expect(try client.exchange("GET", "/v2/models/nobody/ready").status == 404)
        #expect(try client.exchange("GET", "/v2/models/lite/versions/2/ready").status == 404)
        test.service.beginDrain()
        let draining = try client.exchange("GET", "/v2/health/ready")
        #expect(draining.status == 503)
        #expect(try draining.v2Error() == "draining")
        #expect(try test.exchange("GET", "/v2/health/live").status == 200)
        test.stop()
    }

    @Test func countsWhatAModelDoes() throws {
        let test = try TestService(models: Self.repository()) { $0.modelVersions = ["all"] }
        defer { test.stop() }
        func statistics(_ path: String) throws -> [Statistics.Model] {
            try test.exchange("GET", path).decoded(Statistics.self).model_stats
        }
        let all = try statistics("/v2/models/stats")
        #expect(all.map(\.name) == ["alpha", "beta", "beta"] && all.map(\.version) == ["3", "2", "10"])
        #expect(all.allSatisfy { $0.inference_count == 0 && $0.last_inference == 0 && $0.batch_stats.isEmpty })

        let picture = try Upload.jpeg("reduced-8")
        let path = "/v2/models/beta/infer"
        let data = V2.bytes([picture, picture, picture])
        let json =
            #"{"inputs":[{"name":"input","datatype":"BYTES","shape":[3],"parameters":{"binary_data_size":\#(data.count)}}]}"#
        #expect(try test.infer(json, data, path: path).status == 200)
        #expect(try test.classify(picture, query: "?model=beta").status == 200)
        #expect(try test.exchange("POST", "/v1/embed?model=beta", body: picture).status == 200)
        #expect(try test.exchange("POST", path, fields: [(V2.length, "0")], body: [1, 2]).status == 415)
        #expect(try test.exchange("POST", path, body: [1, 2]).status == 400)

        let one = try statistics("/v2/models/beta/versions/10/stats")
        #expect(one.count == 1)
        let beta = try #require(one.first)
        #expect(beta.inference_count == 5 && (3...5).contains(beta.execution_count))
        // Between 2024 and 2100.
        #expect((1_704_067_200_000..<4_102_444_800_000).contains(beta.last_inference))
        let stats = beta.inference_stats
        #expect(stats.success.count == 3 && stats.fail.count == 2)
        let parts = [stats.queue, stats.compute_input, stats.compute_infer, stats.compute_output]
        #expect(parts.map(\.count) == [3, 3, 3, 3])
        #expect(stats.success.ns > 0 && stats.fail.ns > 0 && stats.compute_infer.ns > 0 && stats.compute_input.ns > 0)
        // A client takes the parts from the whole.
        #expect(parts.reduce(0) { $0 + $1.ns } <= stats.success.ns)
        #expect(stats.cache_hit == Statistics.Duration(count: 0, ns: 0) && stats.cache_miss == stats.cache_hit)
        #expect(beta.batch_stats.reduce(0) { $0 + $1.batch_size * $1.compute_infer.count } == 5)
        #expect(beta.batch_stats.reduce(0) { $0 + $1.compute_infer.count } == beta.execution_count)
        for batch in beta.batch_stats {
            #expect(batch.compute_infer.ns > 0 && batch.compute_input.ns > 0)
            #expect(batch.compute_output.count == batch.compute_infer.count)
        }
        // That is over only after the answer.
        #expect(
            try eventually {
                try statistics("/v2/models/beta/versions/10/stats")[0].batch_stats.allSatisfy {
                    $0.compute_output.ns > 0
                }
            })
        #expect(try statistics("/v2/models/beta/stats").map(\.version) == ["2", "10"])
        #expect(try statistics("/v2/models/alpha/stats").map(\.inference_count) == [0])
    }

    @Test(
        arguments: [
            "/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/stats", "/v2/models/lite",
            "/v2/models/lite/ready",
            "/v2/models/lite/config", "/v2/models/lite/stats", "/v2/models/lite/versions/1",
            "/v2/models/lite/versions/1/stats",
        ])
    func answersOtherMethodsAsOnEveryRoute(path: String) throws {
        let test = try TestService()
        defer { test.stop() }
        let client = try test.client()
        #expect(try client.exchange("GET", path).status == 200)
        #expect(try client.exchange("HEAD", path).status == 200)
        #expect(try client.exchange("OPTIONS", path)["allow"] == "GET, HEAD, OPTIONS")
        let post = try client.exchange("POST", path, body: [])
        #expect(post.status == 405 && post["allow"] == "GET, HEAD, OPTIONS")
        #expect(try !post.v2Error().isEmpty)
    }

    @Test func knowsNoOtherPaths() throws {
        let test = try TestService()
        defer { test.stop() }
        for path in ["/v2/", "/v2/models", "/v2/health", "/v2/models/lite/versions", "/v2/models/lite/nothing"] {
            let response = try test.exchange("GET", path)
            #expect(response.status == 404)
            #expect(try response.v2Error() == "There is no \(path).")
        }
        let get = try test.exchange("GET", "/v2/models/lite/infer")
        #expect(get.status == 405 && get["allow"] == "OPTIONS, POST")
    }
}
