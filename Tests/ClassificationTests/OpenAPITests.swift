import HTTPServer
import TestSupport
import Testing

@testable import Classification

/// The description of the service. `scripts/check-openapi` holds the answers to it.
struct OpenAPITests {
    /// As much of a document as is looked at, read with none of the code under test.
    private struct Document: Decodable {
        struct Operation: Decodable {
            var operationId: String
            var parameters: [Reference]?
            var security: [[String: [String]]]?
            var responses: [String: Reference]
        }

        struct Reference: Decodable {
            enum CodingKeys: String, CodingKey { case path = "$ref" }
            var path: String?
        }

        struct Components: Decodable {
            struct Parameter: Decodable {
                struct Schema: Decodable {
                    var maximum: Int?
                    var examples: [String]?
                }

                var name: String
                var `in`: String
                var schema: Schema
            }

            struct Response: Decodable { var description: String }
            struct Anything: Decodable {}

            var schemas: [String: Anything]
            var parameters: [String: Parameter]
            var headers: [String: Anything]
            var responses: [String: Response]
            var securitySchemes: [String: Anything]?

            var names: Set<String> {
                Set(
                    [
                        ("schemas", Array(schemas.keys)), ("parameters", Array(parameters.keys)),
                        ("headers", Array(headers.keys)), ("responses", Array(responses.keys)),
                    ].flatMap { kind, names in names.map { "#/components/\(kind)/\($0)" } })
            }
        }

        var openapi: String
        var paths: [String: [String: Operation]]
        var components: Components

        var operations: [(path: String, method: String, operation: Operation)] {
            paths.flatMap { path, methods in methods.map { (path, $0.key, $0.value) } }
        }
    }

    private static let keys = try! KeyRing(
        APIKeys(text: NewAPIKey(name: "any", rights: [.inference]).line, path: "keys"))

    /// Settings of a service, and the policies of its addresses.
    private static let services: [(hasAdminAddress: Bool, hasKeys: Bool)] = [
        (false, false), (false, true), (true, false), (true, true),
    ]

    private static func descriptions(
        _ service: (hasAdminAddress: Bool, hasKeys: Bool)
    ) throws -> [(router: Router, policy: AccessPolicy, document: Document)] {
        let test = try TestService { $0.adminAddress = service.hasAdminAddress ? "127.0.0.1:0" : "" }
        defer { test.stop() }
        let (context, models) = (test.service.context, test.service.models)
        let keys = service.hasKeys ? Self.keys : nil
        let main = AccessPolicy(keys: keys, isAdminAddress: false)
        var routers = [(Routes.router(context, models, main), main)]
        if service.hasAdminAddress {
            let policy = AccessPolicy(keys: keys, isAdminAddress: true)
            routers.append((Routes.adminRouter(context, models, policy), policy))
        }
        return try routers.map { router, policy in
            let document = OpenAPIDocument(
                routes: router.descriptions, policy: policy, version: "1", limits: .init(bodyBytes: 1000, images: 3))
            let json = document.json(.init(names: ["lite"], classCount: 10))
            return (router, policy, try decodeJSON(Document.self, json))
        }
    }

    @Test(arguments: services.indices) func describesEveryRouteAndNoOther(index: Int) throws {
        for (router, _, document) in try Self.descriptions(Self.services[index]) {
            let served = router.descriptions.map { "\($0.method.rawValue.lowercased()) \($0.pattern)" }
            #expect(document.operations.map { "\($0.method) \($0.path)" }.sorted() == served.sorted())
            #expect(document.paths["/openapi.json"]?["get"] != nil)
            let names = document.operations.map(\.operation.operationId)
            #expect(Set(names).count == names.count, "\(names.sorted())")
        }
    }

    @Test(arguments: services.indices) func tellsEveryCodeThatIsCounted(index: Int) throws {
        for (router, policy, document) in try Self.descriptions(Self.services[index]) {
            for route in router.descriptions {
                let operation = try #require(document.paths[route.pattern]?[route.method.rawValue.lowercased()])
                // Those are answers to OPTIONS and to other methods, and what nobody was there to read.
                var expected = Set(ServiceMetrics.codes(of: route.label)).subtracting([204, 405, 499])
                #expect(!expected.isEmpty, "\(route.pattern)")
                if policy.keys == nil {
                    expected.remove(401)
                    if route.access != .admin || policy.isAdminAddress { expected.remove(403) }
                }
                #expect(Set(operation.responses.keys) == Set(expected.map(String.init)), "\(route.pattern)")
                switch route.access {
                case _ where policy.keys == nil: #expect(operation.security == nil)
                case .open: #expect(operation.security == nil)
                case .inference: #expect(operation.security == [["key": []]])
                case .admin: #expect(operation.security == [[:], ["key": []]])
                }
            }
            #expect((document.components.securitySchemes != nil) == (policy.keys != nil))
        }
    }

    @Test(arguments: services.indices) func namesNothingThatItDoesNotTell(index: Int) throws {
        for (_, _, document) in try Self.descriptions(Self.services[index]) {
            for (path, _, operation) in document.operations {
                let references = (operation.parameters ?? []) + Array(operation.responses.values)
                for reference in references {
                    if let name = reference.path {
                        #expect(document.components.names.contains(name), "\(path): \(name)")
                    }
                }
                let parameters = references.compactMap { $0.path?.split(separator: "/").last.map(String.init) }
                    .compactMap { document.components.parameters[$0] }
                let inPath = path.split(separator: "/").filter { $0.hasPrefix("{") }.map {
                    String($0.dropFirst().dropLast())
                }
                #expect(parameters.filter { $0.in == "path" }.map(\.name) == inPath, "\(path)")
            }
        }
    }

    @Test func everyReferenceLeadsSomewhere() throws {
        let test = try TestService()
        defer { test.stop() }
        let text = try test.exchange("GET", "/openapi.json").text
        let document = try decodeJSON(Document.self, Array(text.utf8))
        let marker = "\"$ref\":\""
        let references = text.ranges(of: marker).map { range in
            String(text[range.upperBound...].prefix { $0 != "\"" })
        }
        #expect(references.count > 100)
        #expect(Set(references).subtracting(document.components.names) == [])
    }

    @Test func theServiceAllowsWhatTheDocumentSays() throws {
        let test = try TestService()
        defer { test.stop() }
        let response = try test.exchange("GET", "/openapi.json")
        #expect(response.status == 200 && response["content-type"] == "application/json")
        let document: Document = try response.decoded()
        #expect(document.openapi == "3.1.0")
        for (path, methods) in document.paths {
            let target = path.replacing("{version}", with: "1").replacing("{name}", with: "lite").replacing(
                "{model}", with: "lite")
            var allowed = Set(methods.keys.map { $0.uppercased() } + ["OPTIONS"])
            if allowed.contains("GET") { allowed.insert("HEAD") }
            let allow = try test.exchange("OPTIONS", target)["allow"]
            #expect(allow == allowed.sorted().joined(separator: ", "), "\(path)")
            for method in ["TRACE", "QUERY", "DELETE"] {
                let refused = try test.exchange(method, target)
                #expect(refused.status == 405 && refused["allow"] == allow, "\(method) \(path)")
            }
        }
    }

    @Test func followsTheModelsAndTheSettings() throws {
        let test = try TestService {
            $0.maxBodyBytes = 123_456
            $0.maxImagesPerRequest = 7
        }
        defer { test.stop() }
        func document(knowing tag: String? = nil) throws -> RawResponse {
            try test.exchange("GET", "/openapi.json", fields: tag.map { [("If-None-Match", $0)] } ?? [])
        }
        let first = try document()
        let tag = try #require(first["etag"])
        #expect(first["cache-control"] == "no-cache")
        let described: Document = try first.decoded()
        #expect(described.components.parameters["top_k"]?.schema.maximum == 10)
        #expect(described.components.parameters["model"]?.schema.examples == ["lite"])
        #expect(described.components.responses["Problem-413"]?.description.contains("123456 bytes, 7 images") == true)
        #expect(first.text.contains("\"maxItems\":7"))
        let known = try document(knowing: tag)
        #expect(known.status == 304 && known["etag"] == tag && known.body.isEmpty)
        #expect(try test.change(.unload("lite")) == nil)
        let later = try document(knowing: tag)
        #expect(later.status == 200 && later["etag"] != tag)
        let bare: Document = try later.decoded()
        #expect(bare.components.parameters["top_k"]?.schema.maximum == nil)
    }

    @Test func comesInACodingUnderTheSameTag() throws {
        let test = try TestService()
        defer { test.stop() }
        let plain = try test.exchange("GET", "/openapi.json")
        let coded = try test.exchange("GET", "/openapi.json", fields: [("Accept-Encoding", "gzip")])
        #expect(coded["content-encoding"] == "gzip" && coded["vary"] == "Accept-Encoding")
        #expect(coded["etag"] == plain["etag"] && coded.body.count < plain.body.count / 4)
    }

    @Test(
        arguments: [
            ("W/\"a\"", true), ("\"a\"", true), ("*", true), ("\"b\", W/\"a\"", true), (" \"a\"\t", true),
            ("\"b\"", false), ("a", false), ("", false), ("W/\"ab\"", false),
        ] as [(String, Bool)])
    func comparesTagsWeakly(field: String, isKnown: Bool) {
        #expect(Response.tag("W/\"a\"", isNamedBy: field) == isKnown)
    }

    @Test func isOpenWhereKeysAreAskedFor() throws {
        let directory = try TemporaryDirectory()
        let key = NewAPIKey(name: "user", rights: [.inference])
        try directory.write("\(key.line)\n".utf8, to: "keys")
        let test = try TestService {
            $0.apiKeysFile = "\(directory.path)/keys"
            $0.adminAddress = "127.0.0.1:0"
        }
        defer { test.stop() }
        #expect(try test.exchange("GET", "/v1/models").status == 401)
        let document: Document = try test.exchange("GET", "/openapi.json").decoded()
        #expect(document.paths["/v1/models"]?["get"]?.security == [["key": []]])
        #expect(document.paths["/metrics"] == nil)
        let port = try #require(test.adminPort)
        let administration: Document = try RawClient(port: port).exchange("GET", "/openapi.json").decoded()
        #expect(
            Set(administration.paths.keys) == [
                "/livez", "/readyz", "/metrics", "/openapi.json", "/debug/batches", "/v2/repository/index",
                "/v2/repository/models/{name}/load", "/v2/repository/models/{name}/unload",
            ])
    }
}
