import Batching
import HTTPServer
import Parallelism

/// What all inference routes share, from the request to the job.
extension ServiceContext {
    /// More than the queue has places for could never be taken.
    var imageLimit: Int { min(settings.maxImagesPerRequest, settings.maxQueueSize) }

    /// The deadline that a request asks for by `X-Request-Deadline-Ms`, or the settings for those that do not.
    func deadlineMicroseconds(milliseconds: Int?) -> Int? {
        let milliseconds =
            milliseconds ?? (settings.requestDeadlineMilliseconds > 0 ? settings.requestDeadlineMilliseconds : nil)
        return milliseconds.map { $0 * 1000 }
    }

    /// Answers with an error, and counts it.
    ///
    /// - Parameter runner: of the model that the request was for, where that is known.
    func refuse(_ failure: ServiceFailure, _ request: Request, _ responder: Responder, _ runner: ModelRunner?) {
        metrics.reject(failure)
        runner?.statistics.failed(nanoseconds: clock.now().nanoseconds(since: request.received))
        responder.respond(failure.response(to: RequestReference(request)))
    }

    /// Does the rest of a request's work on a worker, in its turn; the request is held only as long as its client waits.
    ///
    /// - Parameters:
    ///   - cost: how long it takes, in the unit of `ImageDecoder.cost`.
    ///   - work: what it throws is answered, as are a line that is full and a deadline that passes in it.
    func onWorker(
        _ request: Request, _ responder: Responder, _ runner: ModelRunner?, _ schedule: InferenceSchedule, cost: Int,
        _ work: @escaping @Sendable (Request) throws(ServiceFailure) -> Void
    ) {
        let held = Lock<Request?>(request)
        // The responder stands for the request.
        let owner = ObjectIdentifier(responder)
        responder.onCancel { [decodes] in
            _ = held.withLock { $0.take() }
            decodes.removeAll(of: owner)
        }
        let turn = LongDecodes.Decode(
            owner: owner, deadline: schedule.deadline(of: request),
            // Until a body has been taken apart nobody knows how much work it is: what is quick goes first.
            urgency: cost < LongDecodes.leastCost ? .first : schedule.priority.urgency(arrival: request.received)
        ) { turn in
            guard let request = held.withLock({ $0.take() }) else { return }
            do throws(ServiceFailure) {
                switch turn {
                case .hasCome: try work(request)
                case .isRefused(let refusal): throw ServiceFailure(refusal, places: 1, deadlineMicroseconds: nil)
                case .isTooLate: throw .deadlinePassed(microseconds: schedule.deadlineMicroseconds ?? 0)
                }
            } catch { self.refuse(error, request, responder, runner) }
        }
        decodes.submit(turn, cost: cost)
    }

    /// Takes the places and sends the images on their way.
    /// - Throws: `queueFull`, `deadlineUnmeetable`.
    func begin(
        _ images: [InferenceInput], _ request: Request, _ schedule: InferenceSchedule, _ answer: any InferenceAnswer,
        _ runner: ModelRunner, _ responder: Responder
    ) throws(ServiceFailure) {
        let reservation: Reservation<PendingImage>
        do throws(ReservationRefusal) {
            reservation = try runner.batcher.reserve(
                places: images.count, deadline: schedule.deadline(of: request), priority: schedule.priority,
                isLong: images.contains { $0.decodeCost >= LongDecodes.leastCost }, followUps: answer.mapCount)
        } catch {
            throw ServiceFailure(error, places: images.count, deadlineMicroseconds: schedule.deadlineMicroseconds)
        }
        InferenceJob(
            images, request: request, schedule: schedule, answer: answer, runner: runner, reservation: reservation,
            responder: responder, service: self
        ).start()
    }

    // MARK: - Bodies

    /// The same route for bodies with a `Content-Encoding`, which are decoded on a worker.
    func decodingBodies(_ handler: @escaping Handler) -> Handler {
        { self.decodingBody(of: $0, $1, handler) }
    }

    func decodingBody(of request: Request, _ responder: Responder, _ handler: @escaping Handler) {
        do throws(ServiceFailure) {
            guard let coding = try Self.coding(of: request) else { return handler(request, responder) }
            // What comes out takes the time, and may be this many times as much.
            let cost = min(request.body.count * Self.largestInflation, settings.maxBodyBytes)
            onWorker(request, responder, nil, InferenceSchedule(), cost: cost) { (request) throws(ServiceFailure) in
                var request = request
                request.body = try self.decode(request.body, coding, responder)
                request.fields[.contentEncoding] = nil
                handler(request, responder)
            }
        } catch { refuse(error, request, responder, nil) }
    }

    /// Source: zlib's technical notes, "Maximum Compression Factor".
    private static let largestInflation = 1032

    private static func coding(of request: Request) throws(ServiceFailure) -> ContentCoding? {
        do throws(ContentCoding.Fault) { return try ContentCoding.ofBody(request.fields) } catch {
            throw .coding(error)
        }
    }

    private func decode(
        _ body: [UInt8], _ coding: ContentCoding, _ responder: Responder
    ) throws(ServiceFailure) -> [UInt8] {
        var asked = 0
        do throws(ContentCoding.Fault) {
            return try coding.decode(body, maximum: settings.maxBodyBytes) {
                asked = $0
                return responder.hold($0)
            }
        } catch { throw error == .noMemory ? noRoom(asked, responder) : .coding(error) }
    }

    /// Why a request is not granted so much memory beside its body.
    func noRoom(_ bytes: Int, _ responder: Responder) -> ServiceFailure {
        responder.couldHold(bytes) ? .coding(.noMemory) : .tooLargeToHold(limit: settings.maxHeldBytes)
    }
}
