import HTTP
import HTTPServer
import HTTPTypes
import Telemetry

/// The paths that the service answers, which are also what metrics call them.
enum Routes {
    static let page = "/"
    static let classify = "/v1/classify"
    static let embed = "/v1/embed"
    static let models = "/v1/models"
    static let model = "/v1/models/{name}"
    static let live = "/livez"
    static let ready = "/readyz"
    static let metrics = "/metrics"
    /// `OPTIONS *`.
    static let any = "*"
    /// What the server calls requests that match no route.
    static let unmatched = "unmatched"

    /// What the main port answers. Every route says who may use it.
    static func router(_ service: ServiceContext, _ liveModels: LiveModels, _ policy: AccessPolicy) -> Router {
        var router = Router()
        router.add(
            .post, classify, access: .inference, admission: service.admission(to: .classify),
            handler: service.handler(of: .classify))
        router.add(
            .post, embed, access: .inference, admission: service.admission(to: .embed),
            handler: service.handler(of: .embed))
        router.add(.get, models, access: .inference) { service.listModels($0, $1) }
        router.add(.get, model, access: .inference) { service.describeModel($0, $1) }
        V2Routes.add(to: &router, service)
        if service.settings.page == "on" { addPage(to: &router) }
        addHealth(to: &router, service)
        if service.settings.adminAddress.isEmpty { addAdministration(to: &router, service, liveModels) }
        addDescription(to: &router, service, policy)
        return router
    }

    /// What the admin address answers: health too, for probes that have neither a certificate nor TLS.
    static func adminRouter(_ service: ServiceContext, _ liveModels: LiveModels, _ policy: AccessPolicy) -> Router {
        var router = Router()
        addHealth(to: &router, service)
        addAdministration(to: &router, service, liveModels)
        addDescription(to: &router, service, policy)
        return router
    }

    private static func addHealth(to router: inout Router, _ service: ServiceContext) {
        router.add(.get, live, access: .open) { _, responder in responder.respond(.text("live\n")) }
        router.add(.get, ready, access: .open) { service.answerReadiness($0, $1) }
    }

    /// What leaves the main port where there is an admin address. Routes that change or reveal something are `.admin`.
    private static func addAdministration(
        to router: inout Router, _ service: ServiceContext, _ liveModels: LiveModels
    ) {
        router.add(.get, metrics, access: .open) { service.answerMetrics($0, $1) }
        addDebug(to: &router, service)
        addRepository(to: &router, liveModels)
    }
}

extension Response {
    static func text(_ text: String) -> Response {
        Response(contentType: "text/plain; charset=utf-8", body: Array(text.utf8))
    }
}

extension ServiceContext {
    func answerReadiness(_ request: Request, _ responder: Responder) {
        func refuse(_ reason: String) {
            responder.respond(ServiceFailure.notReady(reason: reason).response(to: RequestReference(request)))
        }
        switch state {
        case .ready: responder.respond(.text("ready\n"))
        case .loading: refuse("loading")
        case .draining: refuse("draining")
        }
    }

    func answerMetrics(_ request: Request, _ responder: Responder) {
        let format = ExpositionFormat(accept: request.fields[.accept])
        let coding = ContentCoding.preferred(by: request.fields)
        // Rendering walks all series and reads /proc: not on an event loop, nor behind images.
        scrapes.async { [metrics] in
            var page = Response(contentType: format.contentType, body: Array(metrics.registry.render(format).utf8))
            page.encodeBody(coding)
            responder.respond(page)
        }
    }

    func listModels(_ request: Request, _ responder: Responder) {
        let catalogue = catalogue
        var json = JSONWriter()
        json.object {
            if let name = catalogue.defaultModel { $0.value("default_model", name) }
            // Whoever knows it need not send what is not taken, and by HTTP/1.1 would not always be told why.
            $0.value("max_body_bytes", settings.maxBodyBytes)
            $0.array("models") {
                for status in catalogue.statuses { describe(status, to: &$0) }
            }
        }
        responder.respond(Response(contentType: "application/json", body: json.bytes))
    }

    /// All versions of one model.
    func describeModel(_ request: Request, _ responder: Responder) {
        let catalogue = catalogue
        let name = request.parameters["name"] ?? ""
        let versions = catalogue.statuses(of: name)
        guard catalogue.defaultModel != nil, !versions.isEmpty else {
            let failure: ServiceFailure =
                catalogue.defaultModel == nil ? .notReady(reason: "no model is loaded yet") : .unknownModel(name: name)
            return responder.respond(failure.response(to: RequestReference(request)))
        }
        var json = JSONWriter()
        json.object {
            $0.value("name", name)
            $0.array("versions") {
                for status in versions { describe(status, to: &$0) }
            }
        }
        responder.respond(Response(contentType: "application/json", body: json.bytes))
    }

    private func describe(_ status: ModelStatus, to json: inout JSONWriter) {
        json.object {
            $0.value("name", status.name)
            $0.value("version", String(status.version))
            $0.value("state", status.state.rawValue)
            $0.value("reason", status.reason)
            guard let model = status.runner?.model else { return }
            let description = model.stored.description
            $0.value("architecture", model.plan.architecture.name)
            $0.value("input_size", description.inputSize)
            $0.value("precision", description.precision.rawValue)
            $0.value("labels", model.plan.classCount)
            $0.value("parameters", model.plan.architecture.parameterCount)
            $0.value("macs", model.plan.multiplyAccumulates)
            $0.object("preprocessing") {
                $0.value("resize", description.resize)
                $0.value("crop", description.crop)
                $0.value("filter", description.filter.rawValue)
                $0.array("mean") { list in for value in description.mean { list.value(nil, value) } }
                $0.array("std") { list in for value in description.standardDeviation { list.value(nil, value) } }
            }
            if let licence = description.licence { $0.value("licence", licence) }
            if let summary = description.summary { $0.value("description", summary) }
            // Null until it has been computed, shortly after the start.
            if let digest = model.weightsDigest { $0.value("sha256", digest) } else { $0.null("sha256") }
        }
    }
}
