import HTTPServer
import HTTPTypes

/// The routes of the Open Inference Protocol V2. A model's routes exist with and without `/versions/{version}`, under
/// one label.
enum V2Routes {
    static let server = "/v2"
    static let live = "/v2/health/live"
    static let ready = "/v2/health/ready"
    static let allStatistics = "/v2/models/stats"
    static let model = "/v2/models/{model}"
    static let modelReady = model + "/ready"
    static let infer = model + "/infer"
    static let config = model + "/config"
    static let statistics = model + "/stats"

    /// What is honoured of the protocol's extensions.
    static let extensions = [
        "binary_tensor_data", "classification", "schedule_policy", "model_configuration", "model_repository",
        "statistics",
    ]

    static func add(to router: inout Router, _ service: ServiceContext) {
        router.add(.get, server, access: .inference) { service.describeServer($0, $1) }
        router.add(.get, live, access: .open) { _, responder in responder.respond(Response()) }
        router.add(.get, ready, access: .open) { service.answerV2Readiness($0, $1) }
        router.add(.get, allStatistics, access: .inference) { service.answerAllStatistics($0, $1) }
        let modelRoutes: [(method: HTTPRequest.Method, label: String, admission: Admission?, handler: Handler)] = [
            (.get, model, nil, { service.describeV2Model($0, $1) }),
            (.get, modelReady, nil, { service.answerModelReadiness($0, $1) }),
            (.get, config, nil, { service.answerConfiguration($0, $1) }),
            (.get, statistics, nil, { service.answerStatistics($0, $1) }),
            (.post, infer, service.v2Admission, service.decodingBodies { service.infer($0, $1) }),
        ]
        for route in modelRoutes {
            router.add(
                route.method, route.label, access: .inference, admission: route.admission, handler: route.handler)
            let versioned = model + "/versions/{version}" + route.label.dropFirst(model.count)
            router.add(
                route.method, versioned, label: route.label, access: .inference, admission: route.admission,
                handler: route.handler)
        }
    }
}

extension ServiceContext {
    /// The model that a path names, the latest version where it names none.
    /// - Throws: `unknownModel`, `unknownVersion`, `notReady`, `badParameter`.
    func runner(of request: Request) throws(ServiceFailure) -> ModelRunner {
        var version: Int?
        if let text = request.parameters["version"] { version = try ImageParameters.positive("version", text) }
        return try catalogue.runner(model: request.parameters["model"], version: version)
    }

    /// Answers with what `make` says of the path's model, or with an error.
    private func answer(
        _ request: Request, _ responder: Responder, _ make: (ModelRunner) throws(ServiceFailure) -> Response
    ) {
        let response: Response
        do throws(ServiceFailure) { response = try make(runner(of: request)) } catch {
            response = error.response(to: RequestReference(request))
        }
        responder.respond(response)
    }

    func answerV2Readiness(_ request: Request, _ responder: Responder) {
        switch state {
        case .ready: responder.respond(Response())
        case .loading, .draining: answerReadiness(request, responder)
        }
    }

    func answerModelReadiness(_ request: Request, _ responder: Responder) {
        answer(request, responder) { _ in Response() }
    }

    func describeV2Model(_ request: Request, _ responder: Responder) {
        answer(request, responder) { (runner) throws(ServiceFailure) in
            .v2Metadata(runner.model, versions: try catalogue.versions(of: runner.model.name).map(\.model.version))
        }
    }

    func answerConfiguration(_ request: Request, _ responder: Responder) {
        answer(request, responder) { runner in .v2Configuration(runner.model, settings, imageLimit: imageLimit) }
    }

    func answerStatistics(_ request: Request, _ responder: Responder) {
        answer(request, responder) { (runner) throws(ServiceFailure) in
            // Without a version, all of them.
            .v2Statistics(
                request.parameters["version"] == nil ? try catalogue.versions(of: runner.model.name) : [runner])
        }
    }

    func answerAllStatistics(_ request: Request, _ responder: Responder) {
        responder.respond(.v2Statistics(catalogue.all))
    }
}
