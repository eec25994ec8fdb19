import COpenSSL
import HTTP
import HTTPServer
import HTTPTypes
import Parallelism

extension Routes {
    static let description = "/openapi.json"

    /// Adds the description of all that has been added to the router before, and of itself.
    static func addDescription(to router: inout Router, _ service: ServiceContext, _ policy: AccessPolicy) {
        let own = Router.Description(method: .get, pattern: description, label: description, access: .open)
        let settings = service.settings
        let document = OpenAPIDocument(
            routes: router.descriptions + [own], policy: policy, version: service.metrics.build.version,
            limits: .init(bodyBytes: settings.maxBodyBytes, images: service.imageLimit))
        let cache = DescriptionCache(document)
        router.add(own.method, own.pattern, access: own.access) { service.describe(cache, $0, $1) }
    }
}

/// What was made last, in each coding: anybody may ask as often as they like.
private final class DescriptionCache: Sendable {
    private struct Kept {
        var models: OpenAPIDocument.Models?
        var responses: [ContentCoding?: Response] = [:]
    }

    private let document: OpenAPIDocument
    private let kept = Lock(Kept())

    init(_ document: OpenAPIDocument) { self.document = document }

    func response(_ models: OpenAPIDocument.Models, _ coding: ContentCoding?) -> Response? {
        kept.withLock { $0.models == models ? $0.responses[coding] : nil }
    }

    func makeResponse(_ models: OpenAPIDocument.Models, _ coding: ContentCoding?) -> Response {
        var response = Response(contentType: "application/json", body: document.json(models))
        let tag = Self.entityTag(of: response.body)
        response.encodeBody(coding)
        // Of every coding: hence a weak one.
        response.fields[.eTag] = tag
        response.fields[.cacheControl] = "no-cache"
        kept.withLock {
            if $0.models != models { $0 = Kept(models: models) }
            $0.responses[coding] = response
        }
        return response
    }

    private static func entityTag(of bytes: [UInt8]) -> String {
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        let status = EVP_Digest(bytes, bytes.count, &digest, nil, EVP_sha256(), nil)
        precondition(status == 1, "SHA-256 is not available")
        let word = digest.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return "W/\"\(String(word, radix: 16))\""
    }
}

extension ServiceContext {
    fileprivate func describe(_ cache: DescriptionCache, _ request: Request, _ responder: Responder) {
        let runners = catalogue.runners
        let models = OpenAPIDocument.Models(
            names: runners.keys.sorted(), classCount: runners.values.joined().map(\.model.plan.classCount).max())
        let coding = ContentCoding.preferred(by: request.fields)
        let known = request.fields[.ifNoneMatch]
        @Sendable func answer(_ response: Response) {
            var response = response
            if let known, let tag = response.fields[.eTag], Self.matches(tag, known) { response.status = .notModified }
            responder.respond(response)
        }
        if let response = cache.response(models, coding) { return answer(response) }
        // Some tens of kilobytes are written and encoded: not on an event loop, nor behind images.
        scrapes.async { answer(cache.makeResponse(models, coding)) }
    }

    /// Whether `If-None-Match` names the tag. Source: RFC 9110 §13.1.2, by the weak comparison of §8.8.3.2.
    static func matches(_ tag: String, _ field: String) -> Bool {
        let opaque = tag.dropFirst(2)
        return field.split(separator: ",").contains { element in
            let candidate = element.drop { $0 == " " || $0 == "\t" }
            let trimmed = String(candidate.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
            return trimmed == "*" || trimmed == opaque || trimmed == tag
        }
    }
}
