import Batching
import HTTPServer
import Parallelism

/// Who is let in, told as early as can be.
extension ServiceContext {
    /// The refusal of a request of which only the head has been read, where its images could not be taken now. What else is
    /// wrong with it is left to its handler.
    func refusal(_ request: Request) -> Response? {
        guard let parameters = try? ClassifyParameters(request),
            let runner = try? catalogue.runner(model: parameters.model, version: parameters.version)
        else { return nil }
        do throws(ReservationRefusal) {
            try runner.batcher.check(
                places: 1, deadline: deadline(of: request, parameters), priority: parameters.priority)
            return nil
        } catch {
            let failure = ServiceFailure(
                error, places: 1, deadlineMilliseconds: deadlineMilliseconds(parameters))
            metrics.reject(failure)
            return failure.response(to: RequestReference(request))
        }
    }

    /// Takes a place for a request, which may turn out to need more.
    ///
    /// - Throws: `queueFull`, `deadlineUnmeetable`.
    func reserve(
        _ request: Request, _ parameters: ClassifyParameters, _ runner: ModelRunner
    ) throws(ServiceFailure) -> Reservation<PendingImage> {
        do throws(ReservationRefusal) {
            return try runner.batcher.reserve(
                places: 1, deadline: deadline(of: request, parameters), priority: parameters.priority)
        } catch {
            throw ServiceFailure(error, places: 1, deadlineMilliseconds: deadlineMilliseconds(parameters))
        }
    }

    /// The request's own deadline, or that of the settings, where there is one.
    func deadlineMilliseconds(_ parameters: ClassifyParameters) -> Int? {
        parameters.deadlineMilliseconds
            ?? (settings.requestDeadlineMilliseconds > 0 ? settings.requestDeadlineMilliseconds : nil)
    }

    private func deadline(of request: Request, _ parameters: ClassifyParameters) -> Instant? {
        deadlineMilliseconds(parameters).map { request.received.advanced(byNanoseconds: Int64($0) * 1_000_000) }
    }
}

extension ServiceFailure {
    init(_ refusal: ReservationRefusal, places: Int, deadlineMilliseconds: Int?) {
        switch refusal {
        case .queueFull(let nanoseconds):
            self = .queueFull(places: places, retryAfterSeconds: Double(nanoseconds) * 1e-9)
        case .deadline(let nanoseconds):
            self = .deadlineUnmeetable(
                milliseconds: deadlineMilliseconds ?? 0, retryAfterSeconds: Double(nanoseconds) * 1e-9)
        }
    }
}
