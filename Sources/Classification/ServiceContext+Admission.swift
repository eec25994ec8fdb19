import Batching
import HTTPServer
import Parallelism

/// Who is let in, told when the head of a request has been read. What else is wrong with it is left to its handler.
extension ServiceContext {
    /// For the routes that take images in the forms of `/v1`. The handler is spared the parameters; the model it looks
    /// up again, as one that is replaced while the body comes is not to be kept for it.
    func admission(to route: ImageRoute) -> Admission {
        { request in
            guard let parameters = try? ImageParameters(request, takesTopK: route.takesTopK) else {
                return .admitted(nil)
            }
            if let runner = try? self.catalogue.runner(model: parameters.model, version: parameters.version),
                let refusal = self.refusal(
                    request, self.schedule(parameters), mapCount: self.mapCount(parameters), runner)
            {
                return .refused(refusal)
            }
            return .admitted { request, responder in
                self.decodingBody(of: request, responder) { self.infer(route, parameters, $0, $1) }
            }
        }
    }

    /// For the Open Inference Protocol, whose priority stands in the body: refused is what even the highest would be.
    var v2Admission: Admission {
        { request in
            guard let runner = try? self.runner(of: request) else { return .admitted(nil) }
            let milliseconds = try? ImageParameters.deadlineMilliseconds(request)
            let schedule = InferenceSchedule(
                deadlineMicroseconds: self.deadlineMicroseconds(milliseconds: milliseconds),
                priority: Priority(requested: Priority.levels.lowerBound))
            return self.refusal(request, schedule, mapCount: 0, runner).map { .refused($0) } ?? .admitted(nil)
        }
    }

    private func refusal(
        _ request: Request, _ schedule: InferenceSchedule, mapCount: Int, _ runner: ModelRunner
    ) -> Response? {
        do throws(ReservationRefusal) {
            try runner.batcher.check(
                places: 1, deadline: schedule.deadline(of: request), priority: schedule.priority, followUps: mapCount)
            return nil
        } catch {
            let failure = ServiceFailure(error, places: 1, deadlineMicroseconds: schedule.deadlineMicroseconds)
            metrics.reject(failure)
            runner.statistics.failed(nanoseconds: clock.now().nanoseconds(since: request.received))
            return failure.response(to: RequestReference(request))
        }
    }
}

extension InferenceSchedule {
    func deadline(of request: Request) -> Instant? {
        deadlineMicroseconds.map { request.received.advanced(byNanoseconds: Int64($0) * 1000) }
    }
}

extension ServiceFailure {
    init(_ refusal: ReservationRefusal, places: Int, deadlineMicroseconds: Int?) {
        switch refusal {
        case .queueFull(let nanoseconds):
            self = .queueFull(places: places, retryAfterSeconds: Double(nanoseconds) * 1e-9)
        case .waitTooLong(let wait, let nanoseconds):
            self = .waitTooLong(seconds: Double(wait) * 1e-9, retryAfterSeconds: Double(nanoseconds) * 1e-9)
        case .deadline(let nanoseconds):
            self = .deadlineUnmeetable(
                microseconds: deadlineMicroseconds ?? 0, retryAfterSeconds: Double(nanoseconds) * 1e-9)
        }
    }
}
