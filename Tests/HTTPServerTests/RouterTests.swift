import HTTP
import HTTPTypes
import Testing

@testable import HTTPServer

struct RouterTests {
    private let router: Router = {
        var router = Router()
        router.add(.get, "/models") { _, _ in }
        router.add(.get, "/models/{name}") { _, _ in }
        router.add(.get, "/models/main") { _, _ in }
        router.add(.post, "/models/{name}/load", label: "load") { _, _ in }
        router.add(.delete, "/models/{name}") { _, _ in }
        return router
    }()

    private func describe(_ method: HTTPRequest.Method, _ target: String) throws -> String {
        switch router.match(method, try RequestTarget(target)) {
        case .handler(_, let label, let parameters):
            ([label] + parameters.map { "\($0)=\($1)" }).joined(separator: " ")
        case .options(let allow, _): "options \(allow)"
        case .otherMethod(let allow, let label): "405 \(label) \(allow)"
        case .unknownPath: "404"
        case .unknownMethod: "501"
        }
    }

    @Test(arguments: [
        (HTTPRequest.Method.get, "/models", "/models"), (.head, "/models?x", "/models"),
        (.get, "/models/b0", "/models/{name} name=b0"), (.get, "/models/main", "/models/main"),
        (.get, "/m%6Fdels/%6dain", "/models/main"), (.get, "/models/a%2Fb", "/models/{name} name=a/b"),
        (.post, "/models/b0/load", "load name=b0"), (.get, "/models/", "404"), (.get, "/models//load", "404"),
        (.get, "/Models", "404"), (.get, "/", "404"), (.get, "/models/a/b", "404"),
        (.post, "/models", "405 /models GET, HEAD, OPTIONS"),
        (.put, "/models/b0", "405 /models/{name} DELETE, GET, HEAD, OPTIONS"),
        (.options, "/models/b0/load", "options OPTIONS, POST"), (.options, "/nowhere", "404"),
        (.trace, "/models", "405 /models GET, HEAD, OPTIONS"), (.connect, "/models", "501"),
        (.options, "*", "options DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"),
    ])
    func matches(method: HTTPRequest.Method, target: String, expected: String) throws {
        #expect(try describe(method, target) == expected)
    }

    @Test func namesItsLabels() {
        #expect(router.labels == ["/models", "/models/{name}", "/models/main", "load", "unmatched"])
    }
}

struct ProblemBodyTests {
    @Test func escapesWhatJSONRequires() {
        let error = ErrorDescription(
            status: .badRequest, title: "Bad", detail: "a\"b\\c\n\u{1}é", requestID: "id", path: "")
        let (contentType, body) = problemBody(error)
        #expect(contentType == "application/problem+json")
        #expect(
            String(decoding: body, as: UTF8.self)
                == #"{"type":"about:blank","title":"Bad","status":400,"detail":"a\"b\\c\u000a\u0001é","request_id":"id"}"#
        )
    }
}
