import HTTP
import HTTPTypes

/// A table of methods and path patterns.
///
/// A pattern is made of literal segments and `{name}` segments, which match any one segment that is not empty:
/// `/v1/models/{name}`. A literal path is preferred to one with parameters.
public struct Router: Sendable {
    /// What is behind a method of a path.
    struct Endpoint: Sendable {
        var handler: Handler
        var access: RouteAccess
        /// Looks at requests before their bodies are read.
        var admission: Admission?
        /// Nil where the server's own limit holds.
        var maximumBodyBytes: Int?
    }

    struct Route: Sendable {
        var label: String
        var segments: [Substring]
        var handlers: [HTTPRequest.Method: Endpoint] = [:]
        /// The value of `Allow`.
        var allow = ""
    }

    enum Match {
        case handler(Endpoint, label: String, parameters: [String: String])
        /// OPTIONS on a known path.
        case options(allow: String, label: String)
        case otherMethod(allow: String, label: String)
        case unknownPath
        /// A method that no server resource here could have. Source: RFC 9110 §15.6.2.
        case unknownMethod

        /// What the request is called in metrics.
        var label: String {
            switch self {
            case .handler(_, let label, _), .options(_, let label), .otherMethod(_, let label): label
            case .unknownPath, .unknownMethod: Router.unmatchedLabel
            }
        }
    }

    static let unmatchedLabel = "unmatched"
    /// Some clients send a body with every request.
    static let maximumUnusedBytes = 4096
    /// What a resource of a server such as this may allow.
    private static let usualMethods: Set<HTTPRequest.Method> = [
        .get, .head, .post, .put, .delete, .options, .patch,
    ]
    /// What is known, and refused for what it is: as a method that the resource does not allow. Source: RFC 9110
    /// §9.3.8; QUERY has a specification of its own.
    private static let knownMethods = usualMethods.union([.trace, HTTPRequest.Method("QUERY")!])

    private var routes: [Route] = []
    /// Patterns without parameters, by their path.
    private var literals: [String: Int] = [:]
    private var patterns: [Int] = []

    public init() {}

    /// A method of a pattern, as it was added.
    public struct Description: Sendable, Equatable {
        public var method: HTTPRequest.Method
        public var pattern: String
        public var label: String
        public var access: RouteAccess

        public init(method: HTTPRequest.Method, pattern: String, label: String, access: RouteAccess) {
            self.method = method
            self.pattern = pattern
            self.label = label
            self.access = access
        }
    }

    /// What has been added, in that order; without the HEAD that every GET brings.
    public private(set) var descriptions: [Description] = []

    /// Adds a route. One for GET answers HEAD as well.
    ///
    /// - Precondition: the pattern begins with a slash, and no handler is there for it and the method.
    /// - Parameters:
    ///   - label: what the route is called in metrics; the pattern where nil.
    ///   - access: who may use it. Whoever forgets it has no open route.
    ///   - admission: whether a request's body is to be read at all.
    ///   - maximumBodyBytes: for routes whose bodies are small. One for GET, which reads none, has `maximumUnusedBytes`.
    public mutating func add(
        _ method: HTTPRequest.Method, _ pattern: String, label: String? = nil, access: RouteAccess = .inference,
        admission: Admission? = nil, maximumBodyBytes: Int? = nil, handler: @escaping Handler
    ) {
        precondition(pattern.utf8.first == 0x2F, "a pattern begins with a slash: \(pattern)")
        let segments = pattern.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        let index = routes.firstIndex { $0.segments == segments } ?? routes.count
        if index == routes.count {
            routes.append(Route(label: label ?? pattern, segments: segments))
            if pattern.contains("{") { patterns.append(index) } else { literals[pattern] = index }
        }
        precondition(routes[index].handlers[method] == nil, "two handlers for \(method) \(pattern)")
        let endpoint = Endpoint(
            handler: handler, access: access, admission: admission,
            maximumBodyBytes: maximumBodyBytes ?? (method == .get ? Self.maximumUnusedBytes : nil))
        descriptions.append(
            Description(method: method, pattern: pattern, label: routes[index].label, access: access))
        routes[index].handlers[method] = endpoint
        if method == .get, routes[index].handlers[.head] == nil { routes[index].handlers[.head] = endpoint }
        let methods = routes[index].handlers.keys.map(\.rawValue) + ["OPTIONS"]
        routes[index].allow = Set(methods).sorted().joined(separator: ", ")
    }

    /// The labels of all routes, and of requests that match none.
    public var labels: [String] { routes.map(\.label) + [Self.unmatchedLabel] }

    func match(_ method: HTTPRequest.Method, _ target: RequestTarget) -> Match {
        guard Self.knownMethods.contains(method) else { return .unknownMethod }
        if target.path == "*" {
            return .options(allow: Set(Self.usualMethods.map(\.rawValue)).sorted().joined(separator: ", "), label: "*")
        }
        var parameters: [String: String] = [:]
        guard let index = literals[target.path] ?? matchSegments(target.segments, &parameters) else {
            return .unknownPath
        }
        let route = routes[index]
        if let endpoint = route.handlers[method] {
            return .handler(endpoint, label: route.label, parameters: parameters)
        }
        return method == .options
            ? .options(allow: route.allow, label: route.label) : .otherMethod(allow: route.allow, label: route.label)
    }

    private func matchSegments(_ segments: [String], _ parameters: inout [String: String]) -> Int? {
        // A literal path may have been sent with percent-encoded characters.
        for index in literals.values.sorted() where routes[index].segments.elementsEqual(segments, by: ==) {
            return index
        }
        for index in patterns where routes[index].segments.count == segments.count {
            parameters = [:]
            var matches = true
            for (pattern, segment) in zip(routes[index].segments, segments) where matches {
                if pattern.first == "{", pattern.last == "}" {
                    parameters[String(pattern.dropFirst().dropLast())] = segment
                    matches = !segment.isEmpty
                } else {
                    matches = pattern == segment
                }
            }
            if matches { return index }
        }
        return nil
    }
}
