import Batching
import HTTP
import HTTPServer
import HTTPTypes
import Parallelism
import Telemetry

/// The paths that the service answers, which are also what metrics call them.
enum Routes {
    static let classify = "/v1/classify"
    static let models = "/v1/models"
    static let model = "/v1/models/{name}"
    static let live = "/livez"
    static let ready = "/readyz"
    static let metrics = "/metrics"
    /// `OPTIONS *`.
    static let any = "*"
    /// What the server calls requests that match no route.
    static let unmatched = "unmatched"

    static func router(_ service: ServiceContext) -> Router {
        var router = Router()
        router.add(.post, classify, admission: { service.refusal($0) }) { service.classify($0, $1) }
        router.add(.get, models) { service.listModels($0, $1) }
        router.add(.get, model) { service.describeModel($0, $1) }
        router.add(.get, live) { _, responder in responder.respond(.text("live\n")) }
        router.add(.get, ready) { service.answerReadiness($0, $1) }
        router.add(.get, metrics) { service.answerMetrics($0, $1) }
        return router
    }
}

extension Response {
    static func text(_ text: String) -> Response {
        Response(contentType: "text/plain; charset=utf-8", body: Array(text.utf8))
    }
}

extension ServiceContext {
    func answerReadiness(_ request: Request, _ responder: Responder) {
        switch state {
        case .ready: responder.respond(.text("ready\n"))
        case .loading:
            responder.respond(ServiceFailure.notReady(reason: "loading").response(to: RequestReference(request)))
        case .draining:
            responder.respond(ServiceFailure.notReady(reason: "draining").response(to: RequestReference(request)))
        }
    }

    func answerMetrics(_ request: Request, _ responder: Responder) {
        let format = ExpositionFormat(accept: request.fields[.accept])
        // Rendering walks all series and reads /proc: not on an event loop, nor behind images.
        scrapes.async { [metrics] in
            responder.respond(
                Response(contentType: format.contentType, body: Array(metrics.registry.render(format).utf8)))
        }
    }

    func listModels(_ request: Request, _ responder: Responder) {
        let catalogue = catalogue
        var json = JSONWriter()
        json.object {
            if let name = catalogue.defaultModel { $0.value("default_model", name) }
            $0.array("models") {
                for runner in catalogue.all { describe(runner.model, catalogue, to: &$0) }
            }
        }
        responder.respond(Response(contentType: "application/json", body: json.bytes))
    }

    /// All versions of one model.
    func describeModel(_ request: Request, _ responder: Responder) {
        let catalogue = catalogue
        let name = request.parameters["name"] ?? ""
        let versions: [ModelRunner]
        do throws(ServiceFailure) { versions = try catalogue.versions(of: name) } catch {
            return responder.respond(error.response(to: RequestReference(request)))
        }
        var json = JSONWriter()
        json.object {
            $0.value("name", name)
            $0.array("versions") {
                for runner in versions { describe(runner.model, catalogue, to: &$0) }
            }
        }
        responder.respond(Response(contentType: "application/json", body: json.bytes))
    }

    private func describe(_ model: ClassifierModel, _ catalogue: Catalogue, to json: inout JSONWriter) {
        let description = model.stored.description
        json.object {
            $0.value("name", model.name)
            $0.value("version", String(model.version))
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
            if let digest = catalogue.digest(of: model) { $0.value("sha256", digest) } else { $0.null("sha256") }
        }
    }
}

// MARK: - Classify

extension ServiceContext {
    func classify(_ request: Request, _ responder: Responder) {
        do throws(ServiceFailure) {
            let parameters = try ClassifyParameters(request)
            let runner = try catalogue.runner(model: parameters.model, version: parameters.version)
            let classes = runner.model.plan.classCount
            let topK = parameters.topK ?? min(settings.topK, classes)
            guard topK <= classes else {
                throw .badParameter(name: "top_k", reason: "\(topK) is not between 1 and \(classes)")
            }
            let upload = try ImageUpload(request)
            let reservation = try reserve(request, parameters, runner)
            if case .raw = upload {
                return begin([UploadedImage(request.body)], request, parameters, topK, runner, reservation, responder)
            }
            // Taking several images out of a body is work for a worker. More than the queue has places for could never be taken.
            let limit = min(settings.maxImagesPerRequest, settings.maxQueueSize)
            // In the workers' queue they are held only as long as the client waits.
            let held = Lock<(request: Request, reservation: Reservation<PendingImage>)?>((request, reservation))
            responder.onCancel { _ = held.withLock { $0.take() } }
            let isAccepted = jobs.submit(.first) {
                guard let (request, reservation) = held.withLock({ $0.take() }) else { return }
                do throws(ServiceFailure) {
                    let images = try upload.images(in: request.body, limit: limit)
                    do throws(ReservationRefusal) { try reservation.grow(to: images.count) } catch {
                        throw ServiceFailure(error, places: images.count, deadlineMilliseconds: nil)
                    }
                    self.begin(images, request, parameters, topK, runner, reservation, responder)
                } catch {
                    reservation.release()
                    self.refuse(error, request, responder)
                }
            }
            if !isAccepted { throw .queueFull(places: 1, retryAfterSeconds: 1) }
        } catch { refuse(error, request, responder) }
    }

    private func refuse(_ failure: ServiceFailure, _ request: Request, _ responder: Responder) {
        metrics.reject(failure)
        responder.respond(failure.response(to: RequestReference(request)))
    }

    /// Sends the images on their way.
    private func begin(
        _ images: [UploadedImage], _ request: Request, _ parameters: ClassifyParameters, _ topK: Int,
        _ runner: ModelRunner, _ reservation: Reservation<PendingImage>, _ responder: Responder
    ) {
        ClassifyJob(
            images, request: request, deadlineMilliseconds: deadlineMilliseconds(parameters), topK: topK,
            runner: runner,
            reservation: reservation, responder: responder, service: self
        ).start()
    }
}
