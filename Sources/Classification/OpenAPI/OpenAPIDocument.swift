import HTTP
import HTTPServer
import HTTPTypes

/// The description of what one address answers, for programs: made of the router's own table, of the status codes that
/// the metrics count and of what is loaded, so that it cannot say anything else than the code does.
///
/// Source: OpenAPI Specification 3.1.1.
struct OpenAPIDocument: Sendable {
    let routes: [Router.Description]
    let policy: AccessPolicy
    /// Of the service.
    let version: String
    let limits: Limits

    struct Limits: Sendable {
        var bodyBytes: Int
        /// Images a request.
        var images: Int
    }

    /// What changes with the models.
    struct Models: Equatable, Sendable {
        var names: [String]
        /// The most that a loaded model has; nil where none is loaded.
        var classCount: Int?
    }

    func json(_ models: Models) -> [UInt8] {
        var json = JSONWriter(capacity: 64 << 10)
        json.object {
            $0.value("openapi", "3.1.0")
            $0.object("info") {
                $0.value("title", "Swiftlet")
                $0.value("summary", "Image classification with EfficientNet")
                $0.value("version", version)
                $0.json("license", #"{"name":"Apache License 2.0","identifier":"Apache-2.0"}"#)
                $0.json("description", Self.introduction)
            }
            $0.json("tags", Self.tags)
            $0.object("paths") { writePaths(to: &$0) }
            $0.object("components") {
                $0.object("schemas") { writeSchemas(to: &$0) }
                $0.object("parameters") { writeParameters(models, to: &$0) }
                $0.json("headers", Self.headers)
                $0.object("responses") { writeErrors(to: &$0) }
                if policy.keys != nil { $0.json("securitySchemes", Self.keyScheme) }
            }
        }
        return json.bytes
    }

    private func writePaths(to json: inout JSONWriter) {
        var patterns: [String] = []
        for route in routes where !patterns.contains(route.pattern) { patterns.append(route.pattern) }
        for pattern in patterns {
            json.object(key: pattern) {
                for route in routes where route.pattern == pattern { write(route, to: &$0) }
            }
        }
    }

    private func write(_ route: Router.Description, to json: inout JSONWriter) {
        guard let operation = OpenAPIOperation.all[route.label] else {
            preconditionFailure("\(route.pattern) is not described")
        }
        json.object(key: route.method.rawValue.lowercased()) {
            // The route with a version has the label of the one without.
            $0.value("operationId", operation.id + (route.pattern == route.label ? "" : "OfVersion"))
            $0.value("summary", operation.summary)
            $0.array("tags") { $0.value(nil, operation.tag) }
            let parameters = Self.pathParameters(of: route.pattern) + operation.parameters
            if !parameters.isEmpty {
                $0.array("parameters") {
                    for parameter in parameters { $0.object { $0.reference(to: "parameters", parameter.rawValue) } }
                }
            }
            if let body = operation.body { $0.json("requestBody", body) }
            writeSecurity(of: route.access, to: &$0)
            $0.object("responses") {
                for (code, answer) in operation.answers { $0.json(key: String(code), answer) }
                for code in errorCodes(of: route) {
                    $0.object(key: String(code)) {
                        $0.reference(to: "responses", Self.errorName(code, below: route.pattern))
                    }
                }
            }
        }
    }

    private func writeSecurity(of access: RouteAccess, to json: inout JSONWriter) {
        switch policy.demand(of: access) {
        case .nothing: break
        case .key: json.json("security", #"[{"key":[]}]"#)
        // From the server's own machine administrators come without.
        case .keyFromElsewhere: json.json("security", #"[{},{"key":[]}]"#)
        }
    }

    /// The codes of errors that a request of the route's method may be answered with.
    func errorCodes(of route: Router.Description) -> [Int] {
        let answered = OpenAPIOperation.all[route.label]?.answers.map(\.code) ?? []
        let refusals = policy.refusals(of: route.access)
        return ServiceMetrics.codes(of: route.label).filter { code in
            switch code {
            case 401, 403: refusals.contains(code)
            default: !Self.codesOfOthers.contains(code) && !answered.contains(code)
            }
        }.sorted()
    }

    /// Answers to OPTIONS and to methods that the route has not, and what is counted where no answer could be sent.
    static let codesOfOthers = [204, 405, 499]

    static func pathParameters(of pattern: String) -> [OpenAPIOperation.Parameter] {
        pattern.split(separator: "/").compactMap { segment in
            guard segment.hasPrefix("{") else { return nil }
            return .init(rawValue: "path-\(segment.dropFirst().dropLast())")
        }
    }
}

extension JSONWriter {
    /// The member of an object that stands for one of the document's components.
    mutating func reference(to kind: String, _ name: String) {
        value("$ref", "#/components/\(kind)/\(name)")
    }
}

extension AccessPolicy {
    enum Demand {
        case nothing
        case key
        case keyFromElsewhere
    }

    /// What `decide` asks of a request.
    func demand(of access: RouteAccess) -> Demand {
        switch access {
        case .open: .nothing
        case .inference: keys == nil ? .nothing : .key
        case .admin: keys == nil ? .nothing : .keyFromElsewhere
        }
    }

    /// The status codes with which `decide` refuses.
    func refusals(of access: RouteAccess) -> [Int] {
        switch access {
        case .open: []
        case .inference: keys == nil ? [] : [401, 403]
        case .admin: keys != nil ? [401, 403] : isAdminAddress ? [] : [403]
        }
    }
}
