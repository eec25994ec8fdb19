import Batching
import HTTP
import HTTPServer
import Imaging
import Inference
import Parallelism

/// One classify request on its way: its images are decoded, wait, are computed, and the last one's end sends the answer.
///
/// Concurrency: every method may be called from any thread.
final class ClassifyJob: Sendable {
    private enum Outcome {
        case predictions([Prediction], width: Int, height: Int)
        case failure(ServiceFailure)
    }

    private struct State {
        /// Let go when the client leaves: what waits for a worker then holds no body any more.
        var images: [UploadedImage]
        var outcomes: [Outcome?]
        var missing: Int
        /// Summed over the images.
        var decodeNanoseconds: Int64 = 0
        var resizeNanoseconds: Int64 = 0
        /// The longest of the images.
        var queueNanoseconds: Int64 = 0
        var computeNanoseconds: Int64 = 0
        var isCancelled = false
        /// Let go with the answer.
        var reservation: Reservation<PendingImage>?
    }

    let runner: ModelRunner
    let topK: Int
    private let imageCount: Int
    private let request: (reference: RequestReference, deadlineMilliseconds: Int?)
    private let responder: Responder
    private let service: ServiceContext
    private let submitted: Instant
    private let state: Lock<State>

    init(
        _ images: [UploadedImage], request: Request, deadlineMilliseconds: Int?, topK: Int, runner: ModelRunner,
        reservation: Reservation<PendingImage>, responder: Responder, service: ServiceContext
    ) {
        imageCount = images.count
        self.request = (RequestReference(request), deadlineMilliseconds)
        self.topK = topK
        self.runner = runner
        self.responder = responder
        self.service = service
        submitted = service.clock.now()
        state = Lock(
            State(
                images: images, outcomes: Array(repeating: nil, count: images.count), missing: images.count,
                reservation: reservation))
    }

    /// Sends every image to the workers.
    func start() {
        responder.onCancel { [weak self] in self?.cancel() }
        let (byteCounts, reservation) = state.withLock { ($0.images.map(\.range.count), $0.reservation) }
        // Nil where the client has left already.
        guard let reservation else { return }
        for (index, byteCount) in byteCounts.enumerated() {
            let decode = LongDecodes.Decode(
                owner: ObjectIdentifier(self), deadline: reservation.deadline, urgency: reservation.urgency
            ) { turn in
                switch turn {
                case .hasCome: self.prepare(index)
                case .isRefused: self.fail(index, .queueFull(places: self.imageCount, retryAfterSeconds: 1))
                case .isTooLate: self.expire(index)
                }
            }
            service.decodes.submit(decode, byteCount: byteCount)
        }
        // The client may have left while the images were being sent.
        if state.withLock({ $0.isCancelled }) { service.decodes.removeAll(of: ObjectIdentifier(self)) }
    }

    /// The client is gone: nothing that has not begun is done any more, and no place is left taken.
    private func cancel() {
        let (reservation, images) = state.withLock { state in
            state.isCancelled = true
            let images = state.images
            state.images = []
            return (state.reservation.take(), images)
        }
        // Before the places: who takes one of them finds room in the line.
        withExtendedLifetime(images) { service.decodes.removeAll(of: ObjectIdentifier(self)) }
        reservation?.release()
    }

    /// Decodes image `index` and puts it into the queue. Runs on a worker.
    private func prepare(_ index: Int) {
        let started = service.clock.now()
        let (image, reservation) = state.withLock { ($0.isCancelled ? nil : $0.images[index], $0.reservation) }
        guard let image, let reservation else { return }
        if let deadline = reservation.deadline, started > deadline {
            return expire(index)
        }
        let prepared: PreparedImage
        do throws(ImageError) {
            prepared = try service.decoders.prepare(image, runner.model.preprocessing, pool: service.pool)
        } catch {
            return fail(index, .image(error))
        }
        let enqueued = service.clock.now()
        state.withLock { state in
            state.decodeNanoseconds += prepared.durations.decodeNanoseconds
            state.resizeNanoseconds += prepared.durations.resizeNanoseconds
        }
        let pending = PendingImage(
            job: self, index: index, prepared: prepared, waitedNanoseconds: started.nanoseconds(since: submitted),
            enqueued: enqueued)
        // False where the client has gone in the meantime.
        _ = reservation.enqueue(
            pending, preparationNanoseconds: enqueued.nanoseconds(since: started), canRunBatch: true)
    }

    /// Takes the result of an image, whose batch ran from `start` to `end`.
    func finish(_ image: PendingImage, logits: [Float], start: Instant, end: Instant) {
        let predictions = Prediction.top(topK, logits: logits)
        // All of them, as they are divided by one sum.
        guard predictions[0].probability.isFinite else { return fail(image.index, .resultNotFinite) }
        runner.metrics.topProbability.observe(Double(predictions[0].probability))
        let waited = image.waitedNanoseconds + start.nanoseconds(since: image.enqueued)
        state.withLock { state in
            state.queueNanoseconds = max(state.queueNanoseconds, waited)
            state.computeNanoseconds = max(state.computeNanoseconds, end.nanoseconds(since: start))
        }
        complete(
            image.index,
            .predictions(predictions, width: image.prepared.sourceWidth, height: image.prepared.sourceHeight))
    }

    /// The deadline has passed before image `index` was computed.
    func expire(_ index: Int) {
        fail(index, .deadlinePassed(milliseconds: request.deadlineMilliseconds ?? 0))
    }

    private func fail(_ index: Int, _ failure: ServiceFailure) { complete(index, .failure(failure)) }

    private func complete(_ index: Int, _ outcome: Outcome) {
        let finished = state.withLock { state -> State? in
            guard state.outcomes[index] == nil else { return nil }
            state.outcomes[index] = outcome
            state.missing -= 1
            guard state.missing == 0, !state.isCancelled else { return nil }
            return state
        }
        guard let finished else { return }
        let response = response(finished)
        // Before the answer: who has it may send the next request, which needs a place.
        state.withLock { $0.reservation.take() }?.release()
        responder.respond(response)
    }

    private func response(_ state: State) -> Response {
        let begun = service.clock.now()
        // A stage that nothing reached has taken no time, and is left out.
        var stages = [
            ("decode", state.decodeNanoseconds), ("resize", state.resizeNanoseconds), ("queue", state.queueNanoseconds),
            ("compute", state.computeNanoseconds),
        ].filter { $0.1 > 0 }.map { Stage(name: $0.0, seconds: Double($0.1) * 1e-9) }
        // The only image's failure is the request's, and so is a refusal that has nothing to do with the image.
        for case .failure(let failure)? in state.outcomes {
            service.metrics.reject(failure)
        }
        for case .failure(let failure)? in state.outcomes where imageCount == 1 || !failure.concernsOneImage {
            return failure.response(to: request.reference, stages: stages)
        }
        let body = encode(state.outcomes)
        stages.append(Stage(name: "encode", seconds: service.clock.now().seconds(since: begun)))
        return Response(contentType: "application/json", body: body, stages: stages)
    }

    private func encode(_ outcomes: [Outcome?]) -> [UInt8] {
        var json = JSONWriter(capacity: 128 + outcomes.count * (64 + topK * 96))
        json.object {
            $0.value("model", runner.model.name)
            $0.value("version", String(runner.model.version))
            $0.array("results") {
                for outcome in outcomes { encode(outcome!, to: &$0) }
            }
        }
        return json.bytes
    }

    private func encode(_ outcome: Outcome, to json: inout JSONWriter) {
        switch outcome {
        case .predictions(let predictions, let width, let height):
            json.object {
                $0.value("width", width)
                $0.value("height", height)
                $0.array("predictions") {
                    for prediction in predictions {
                        $0.object {
                            $0.value("index", prediction.index)
                            $0.value("label", runner.model.labels[prediction.index])
                            $0.value("probability", prediction.probability)
                        }
                    }
                }
            }
        case .failure(let failure):
            json.object {
                $0.object("error") {
                    let (status, title, _) = failure.presentation
                    $0.value("title", title)
                    $0.value("status", status.code)
                    $0.value("detail", failure.detail)
                }
            }
        }
    }
}
