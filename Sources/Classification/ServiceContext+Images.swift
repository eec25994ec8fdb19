import HTTPServer

/// The routes that take images in the forms of `/v1`.
extension ServiceContext {
    func classify(_ request: Request, _ responder: Responder) {
        inferImages(request, responder, takesTopK: true) { (parameters, model) throws(ServiceFailure) in
            let classes = model.plan.classCount
            let topK = parameters.topK ?? min(self.settings.topK, classes)
            guard topK <= classes else {
                throw .badParameter(name: "top_k", reason: "\(topK) is not between 1 and \(classes)")
            }
            return ClassificationAnswer(topK: topK, mapCount: min(parameters.mapCount ?? 0, topK))
        }
    }

    func embed(_ request: Request, _ responder: Responder) {
        inferImages(request, responder, takesTopK: false) { (_, _) throws(ServiceFailure) in EmbeddingAnswer() }
    }

    private func inferImages(
        _ request: Request, _ responder: Responder, takesTopK: Bool,
        _ makeAnswer: (ImageParameters, ClassifierModel) throws(ServiceFailure) -> any InferenceAnswer
    ) {
        do throws(ServiceFailure) {
            let parameters = try ImageParameters(request, takesTopK: takesTopK)
            let runner = try catalogue.runner(model: parameters.model, version: parameters.version)
            let answer = try makeAnswer(parameters, runner.model)
            let upload = try ImageUpload(request)
            let schedule = InferenceSchedule(
                deadlineMicroseconds: deadlineMicroseconds(milliseconds: parameters.deadlineMilliseconds),
                priority: parameters.priority)
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
