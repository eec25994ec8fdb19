import HTTPServer

/// The routes that take images in the forms of `/v1`.
enum ImageRoute: Sendable {
    case classify, embed

    /// Whether `top_k` is one of the route's parameters.
    var takesTopK: Bool { self == .classify }
}

extension ServiceContext {
    /// For a request that nothing has been found out about: one without a body, or with parameters that are refused.
    func handler(of route: ImageRoute) -> Handler {
        decodingBodies { request, responder in
            do throws(ServiceFailure) {
                let parameters = try ImageParameters(request, takesTopK: route.takesTopK)
                self.infer(route, parameters, request, responder)
            } catch { self.refuse(error, request, responder, nil) }
        }
    }

    func schedule(_ parameters: ImageParameters) -> InferenceSchedule {
        InferenceSchedule(
            deadlineMicroseconds: deadlineMicroseconds(milliseconds: parameters.deadlineMilliseconds),
            priority: parameters.priority)
    }

    private func answer(
        _ route: ImageRoute, _ parameters: ImageParameters, _ model: ClassifierModel
    ) throws(ServiceFailure) -> any InferenceAnswer {
        switch route {
        case .embed: return EmbeddingAnswer()
        case .classify:
            let classes = model.plan.classCount
            let topK = parameters.topK ?? min(settings.topK, classes)
            guard topK <= classes else {
                throw .badParameter(name: "top_k", reason: "\(topK) is not between 1 and \(classes)")
            }
            return ClassificationAnswer(topK: topK, mapCount: min(mapCount(parameters), topK))
        }
    }

    /// Of how many classes of an image maps are to be made: of no more than it is told.
    func mapCount(_ parameters: ImageParameters) -> Int {
        min(parameters.mapCount ?? 0, parameters.topK ?? settings.topK)
    }

    func infer(_ route: ImageRoute, _ parameters: ImageParameters, _ request: Request, _ responder: Responder) {
        do throws(ServiceFailure) {
            let runner = try catalogue.runner(model: parameters.model, version: parameters.version)
            let answer = try answer(route, parameters, runner.model)
            let upload = try ImageUpload(request)
            let schedule = schedule(parameters)
            if case .raw = upload {
                try begin([.encoded(UploadedImage(request.body))], request, schedule, answer, runner, responder)
                return
            }
            // Taking several images out of a body is work for a worker.
            let limit = imageLimit
            onWorker(request, responder, runner, schedule, cost: upload.cost(of: request.body)) {
                (request) throws(ServiceFailure) in
                let start = self.clock.now()
                let images = try upload.images(in: request.body, limit: limit)
                var schedule = schedule
                schedule.readNanoseconds = self.clock.now().nanoseconds(since: start)
                try self.begin(images.map { .encoded($0) }, request, schedule, answer, runner, responder)
            }
        } catch { refuse(error, request, responder, nil) }
    }
}
