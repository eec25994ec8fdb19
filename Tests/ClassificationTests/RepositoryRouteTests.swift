import Dispatch
import TestSupport
import Testing

@testable import Classification

/// The model repository extension of the Open Inference Protocol.
struct RepositoryRouteTests {
    private struct Entry: Decodable, Equatable {
        var name: String
        var version: String
        var state: String
        var reason: String
    }

    private func index(_ test: TestService, _ body: String? = nil) throws -> [Entry] {
        let response = try test.repository("index", body)
        #expect(response.status == 200 && response["content-type"] == "application/json")
        return try response.decoded()
    }

    @Test func unloadingKeepsWhatIsWrongWithAVersion() throws {
        var broken = try TestModel(name: "broken")
        broken.weights = nil
        let test = try TestService(models: [TestModel(), broken]) { $0.model = "lite" }
        defer { test.stop() }
        let before = try index(test)[0].reason
        #expect(before.contains("model.safetensors"))
        for _ in 0..<2 {
            #expect(try test.repository("models/broken/unload").status == 200)
            #expect(try index(test)[0].reason == "unloaded; " + before)
        }
        // Of one that answered instead of what is broken, too.
        var worse = try TestModel()
        worse.labels = []
        try test.write(worse)
        #expect(try test.repository("models/lite/load").status == 422)
        #expect(try test.repository("models/lite/unload").status == 200)
        let reason = try index(test)[1].reason
        #expect(reason.hasPrefix("unloaded; ") && reason.contains("labels.txt") && !reason.contains("answers"))
    }

    @Test func countsChangesThatADrainRefuses() throws {
        let test = try TestService()
        defer { test.stop() }
        let name = "swiftlet_rejected_total{reason=\"draining\"}"
        #expect(try test.metrics().values[name] == 0)
        test.service.beginDrain()
        for path in ["models/lite/load", "models/lite/unload"] {
            let refused = try test.repository(path)
            #expect(refused.status == 503 && refused["retry-after"] == "1" && refused.text.contains("draining"))
        }
        #expect(try test.metrics().values[name] == 2)
        // What is only looked at is answered.
        #expect(try test.repository("index").status == 200)
    }

    @Test func listsWhatLiesThereAndHowItIs() throws {
        var broken = try TestModel(name: "broken", version: 3)
        broken.weights = nil
        let test = try TestService(models: [TestModel(), TestModel(version: 2), broken, TestModel(name: "other")]) {
            $0.model = "lite"
        }
        defer { test.stop() }
        #expect(try test.repository("models/other/unload", "{}").status == 200)
        try test.write(TestModel(name: "unseen"))
        let entries = try index(test)
        #expect(entries.map(\.name) == ["broken", "lite", "lite", "other", "unseen"])
        #expect(entries.map(\.version) == ["3", "1", "2", "1", "1"])
        #expect(entries.map(\.state) == ["UNAVAILABLE", "UNAVAILABLE", "READY", "UNAVAILABLE", "UNAVAILABLE"])
        #expect(entries[0].reason.contains("model.safetensors"))
        #expect(entries.dropFirst().map(\.reason) == ["not loaded", "", "unloaded", "not loaded"])
        #expect(try index(test, "{\"ready\":false}") == entries && index(test, " {} ") == entries)
        let ready = [Entry(name: "lite", version: "2", state: "READY", reason: "")]
        #expect(try index(test, "{\"ready\":true}") == ready)
    }

    @Test func unloadsAndLoadsAgain() throws {
        let test = try TestService(models: [TestModel(), TestModel(name: "other")])
        defer { test.stop() }
        let unloaded = try test.repository("models/other/unload", "{\"parameters\":{\"unload_dependents\":false}}")
        #expect(unloaded.status == 200 && unloaded.body == [])
        #expect(try test.classify(Upload.jpeg("420"), query: "?model=other").status == 404)
        // Once more changes nothing.
        #expect(try test.repository("models/other/unload").status == 200)
        for body in [nil, "{}", "{\"parameters\":{}}", "{\"parameters\":null}"] {
            let loaded = try test.repository("models/oth%65r/load", body)
            #expect(loaded.status == 200 && loaded.body == [])
            #expect(try test.classify(Upload.jpeg("420"), query: "?model=other").status == 200)
        }
    }

    /// Also what has not changed: whoever asks for it has a reason.
    @Test func loadsEveryTime() throws {
        let test = try TestService()
        defer { test.stop() }
        var runners: Set<ObjectIdentifier> = []
        // Held, or else the next one may have the address.
        var held: [ModelRunner] = []
        for _ in 0..<3 {
            held += test.service.context.catalogue.all
            runners.insert(ObjectIdentifier(held.last!))
            #expect(try test.repository("models/lite/load").status == 200)
        }
        #expect(runners.count == 3)
    }

    @Test func manyMayAskAtATime() throws {
        let test = try TestService(models: [TestModel(), TestModel(name: "other")])
        defer { test.stop() }
        let statuses = Signal<[Int]>()
        let port = test.port
        for client in 0..<6 {
            DispatchQueue(label: "client").async {
                let verbs = client % 2 == 0 ? ["load", "load", "load"] : ["unload", "load", "load"]
                statuses.send(
                    verbs.map { verb in
                        let path = "/v2/repository/models/other/\(verb)"
                        return (try? RawClient(port: port).exchange("POST", path, body: []).status) ?? 0
                    })
            }
        }
        for _ in 0..<6 { #expect(statuses.wait() == [200, 200, 200]) }
        #expect(test.service.modelNames == ["lite", "other"] && test.log.complaints == [])
    }

    @Test(arguments: ["load", "unload"]) func knowsNoOtherModel(verb: String) throws {
        let test = try TestService()
        defer { test.stop() }
        for name in ["nobody", "..", "lite%2F1", "%2e%2e%2fmodels", "lite%00"] {
            let response = try test.repository("models/\(name)/\(verb)")
            #expect([400, 404].contains(response.status))
        }
        let response = try test.repository("models/nobody/\(verb)")
        #expect(response.status == 404 && response.text == "{\"error\":\"no model is called 'nobody'\"}")
    }

    @Test(
        arguments: [
            ("index", "[]", "the body is no JSON object of ready"),
            ("index", "{\"ready\":1}", "the body is no JSON object of ready"),
            ("index", "{\"redy\":true}", "the body has 'redy', and may have ready alone"),
            ("models/lite/load", "{", "the body is no JSON object of parameters"),
            ("models/lite/load", "{\"parameters\":[]}", "the body is no JSON object of parameters"),
            (
                "models/lite/load", "{\"parameters\":{\"config\":\"{}\"}}",
                "parameters.config: models are configured and stored in the repository alone"
            ),
            (
                "models/lite/load", "{\"parameters\":{\"file:1/model.onnx\":\"AA==\"}}",
                "parameters.file:1/model.onnx: models are configured and stored in the repository alone"
            ),
            (
                "models/lite/unload", "{\"parameters\":{\"force\":true}}",
                "parameters.force: no such parameter; there is unload_dependents"
            ),
            (
                "models/lite/unload", "{\"parameters\":{\"unload_dependents\":\"yes\"}}",
                "parameters.unload_dependents: is no boolean"
            ),
        ])
    func refusesOtherBodies(path: String, body: String, detail: String) throws {
        let test = try TestService()
        defer { test.stop() }
        let response = try test.repository(path, body)
        #expect(response.status == 400 && response.text == "{\"error\":\"\(detail)\"}")
        let long = try test.repository(path, "{\"\(String(repeating: "a", count: 70_000))\":1}")
        #expect(long.status == 413 && long.text.contains("65536 bytes"))
        #expect(try test.classify(Upload.jpeg("420")).status == 200)
    }

    @Test(arguments: ["index", "models/lite/load", "models/lite/unload"]) func takesPOSTAlone(path: String) throws {
        let test = try TestService()
        defer { test.stop() }
        for method in ["GET", "DELETE", "PUT"] {
            let response = try test.exchange(method, "/v2/repository/\(path)")
            #expect(response.status == 405 && response["allow"] == "OPTIONS, POST")
            #expect(response.text.hasPrefix("{\"error\":\""))
        }
    }

    @Test func countsUnderTheRoutesPattern() throws {
        let test = try TestService()
        defer { test.stop() }
        _ = try test.repository("models/lite/load")
        _ = try test.repository("models/nobody/load")
        let page = try test.metrics()
        #expect(page.requests("/v2/repository/models/{name}/load", 200) == 1)
        #expect(page.requests("/v2/repository/models/{name}/load", 404) == 1)
    }
}
