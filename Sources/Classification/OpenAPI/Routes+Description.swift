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
        response.tagBody()
        response.encodeBody(coding)
        kept.withLock {
            if $0.models != models { $0 = Kept(models: models) }
            $0.responses[coding] = response
        }
        return response
    }
}

extension ServiceContext {
    fileprivate func describe(_ cache: DescriptionCache, _ request: Request, _ responder: Responder) {
        let runners = catalogue.runners
        let models = OpenAPIDocument.Models(
            names: runners.keys.sorted(), classCount: runners.values.joined().map(\.model.plan.classCount).max())
        let coding = ContentCoding.preferred(by: request.fields)
        @Sendable func answer(_ response: Response) { responder.respond(response.unlessKnown(to: request)) }
        if let response = cache.response(models, coding) { return answer(response) }
        // Some tens of kilobytes are written and encoded: not on an event loop, nor behind images.
        scrapes.async { answer(cache.makeResponse(models, coding)) }
    }
}
