import Batching
import HTTP
import HTTPServer
import Imaging
import Inference
import Parallelism

/// When a request's images are to be computed.
struct InferenceSchedule: Sendable {
    /// From the request's first byte. Units: microseconds. Nil without a deadline.
    var deadlineMicroseconds: Int?
    var priority = Priority.usual
    /// What it took to take the images out of the body.
    var readNanoseconds: Int64 = 0
}

/// One request on its way: its images are prepared, wait, are computed, and the last one's end sends the answer.
///
/// Concurrency: every method may be called from any thread.
final class InferenceJob: Sendable {
    private struct State {
        /// Each is let go once it has been prepared, and all when the client leaves: what waits for a worker then holds
        /// no body any more.
        var images: [InferenceInput?]
        var outcomes: [ImageOutcome?]
        var missing: Int
        /// Summed over the images.
        var decodeNanoseconds: Int64
        var resizeNanoseconds: Int64 = 0
        /// The longest of the images.
        var queueNanoseconds: Int64 = 0
        var computeNanoseconds: Int64 = 0
        /// Of the image that was computed last.
        var parts = InferenceStatistics.Parts()
        var batchSize = 0
        /// Empty where nobody keeps notes.
        var steps: [InferenceNote.Step] = []
        /// Images that wait for their maps, by their places, and when their batch ended.
        var unexplained: [Int: (image: ComputedImage, input: HeadInput, since: Instant)] = [:]
        var isCancelled = false
        /// Let go with the answer.
        var reservation: Reservation<PendingImage>?
    }

    let runner: ModelRunner
    let answer: any InferenceAnswer
    private let imageCount: Int
    private let reference: RequestReference
    private let schedule: InferenceSchedule
    private let received: Instant
    private let coding: ContentCoding?
    private let responder: Responder
    private let service: ServiceContext
    private let submitted: Instant
    private let state: Lock<State>

    init(
        _ images: [InferenceInput], request: Request, schedule: InferenceSchedule, answer: any InferenceAnswer,
        runner: ModelRunner, reservation: Reservation<PendingImage>, responder: Responder, service: ServiceContext
    ) {
        imageCount = images.count
        reference = RequestReference(request)
        received = request.received
        coding = ContentCoding.preferred(by: request.fields)
        self.schedule = schedule
        self.answer = answer
        self.runner = runner
        self.responder = responder
        self.service = service
        submitted = service.clock.now()
        state = Lock(
            State(
                images: images, outcomes: Array(repeating: nil, count: images.count), missing: images.count,
                decodeNanoseconds: schedule.readNanoseconds, reservation: reservation))
    }

    /// Sends every image to the workers.
    func start() {
        responder.onCancel { [weak self] in self?.cancel() }
        let (costs, reservation) = state.withLock { state in
            (state.images.map { $0?.decodeCost ?? 0 }, state.reservation)
        }
        // Nil where the client has left already.
        guard let reservation else { return }
        for (index, cost) in costs.enumerated() {
            let decode = LongDecodes.Decode(
                owner: ObjectIdentifier(self), deadline: reservation.deadline, urgency: reservation.urgency
            ) { turn in
                switch turn {
                case .hasCome: self.prepare(index)
                case .isRefused(let refusal):
                    self.fail(index, ServiceFailure(refusal, places: self.imageCount, deadlineMicroseconds: nil))
                case .isTooLate: self.expire(index)
                }
            }
            service.decodes.submit(decode, cost: cost)
        }
        // The client may have left while the images were being sent.
        if state.withLock({ $0.isCancelled }) { service.decodes.removeAll(of: ObjectIdentifier(self)) }
    }

    /// The client is gone: nothing that has not begun is done any more, and no place is left taken.
    private func cancel() {
        let (reservation, held) = state.withLock { state in
            state.isCancelled = true
            let held = (state.images, state.unexplained, state.outcomes)
            (state.images, state.unexplained, state.outcomes) = ([], [:], [])
            return (state.reservation.take(), held)
        }
        // Before the places: who takes one of them finds room in the line.
        withExtendedLifetime(held) { service.decodes.removeAll(of: ObjectIdentifier(self)) }
        reservation?.release()
    }

    /// Decodes image `index` and puts it into the queue. Runs on a worker.
    private func prepare(_ index: Int) {
        let started = service.clock.now()
        let (image, reservation) = state.withLock { state in
            (state.isCancelled ? nil : state.images[index].take(), state.reservation)
        }
        guard let image, let reservation else { return }
        if let deadline = reservation.deadline, started > deadline {
            return expire(index)
        }
        let prepared: PreparedInput
        do throws(ImageError) {
            prepared = try service.prepare(image, for: runner.model)
        } catch {
            return fail(index, .image(error))
        }
        let enqueued = service.clock.now()
        state.withLock { state in
            state.decodeNanoseconds += prepared.decodeNanoseconds
            state.resizeNanoseconds += prepared.resizeNanoseconds
        }
        let pending = PendingImage(
            job: self, index: index, prepared: prepared, isPlanar: image.isPlanar,
            waitedNanoseconds: started.nanoseconds(since: submitted),
            preparedNanoseconds: enqueued.nanoseconds(since: started), enqueued: enqueued)
        // False where the client has gone in the meantime.
        _ = reservation.enqueue(
            pending, workerNanoseconds: pending.waitedNanoseconds,
            preparationNanoseconds: pending.preparedNanoseconds, canRunBatch: true)
    }

    /// Takes the result of an image, whose batch ran from `start` to `end`. Maps are made by a job of their own: the
    /// others of the batch do not wait for them, and the work that is more urgent goes before.
    func finish(_ image: PendingImage, output: ImageOutput, start: Instant, end: Instant, batchSize: Int) {
        let predictions = Prediction.top(answer.topK, logits: output.logits)
        // All of them, as they are divided by one sum; of what is sent itself, each.
        let isFinite =
            predictions[0].probability.isFinite && (!answer.wantsLogits || output.logits.allSatisfy(\.isFinite))
            && (!answer.wantsFeatures || output.features.allSatisfy(\.isFinite))
        // What numbers of the client's lead to is the client's.
        guard isFinite || image.isPlanar else { return fail(image.index, .resultNotFinite) }
        if isFinite { runner.metrics.topProbability.observe(Double(predictions[0].probability)) }
        let computed = ComputedImage(
            index: image.index,
            result: ImageResult(
                predictions: predictions, logits: answer.wantsLogits ? output.logits : [],
                features: answer.wantsFeatures ? output.features : [], width: image.prepared.width,
                height: image.prepared.height),
            batchSize: batchSize, inputNanoseconds: image.preparedNanoseconds + schedule.readNanoseconds,
            queueNanoseconds: image.waitedNanoseconds + start.nanoseconds(since: image.enqueued),
            computeNanoseconds: end.nanoseconds(since: start),
            steps: service.keepsNotes ? InferenceNote.steps(of: image, start: start, end: end) : [])
        guard let input = output.headInput else { return complete(computed) }
        let urgency = state.withLock { state in
            if !state.isCancelled { state.unexplained[image.index] = (computed, input, end) }
            return state.reservation?.urgency
        }
        // Nil where the client has left.
        guard let urgency else { return }
        let isAccepted = service.jobs.submit(urgency) { self.explain(image.index) }
        if !isAccepted { explain(image.index) }
    }

    /// Makes the maps of image `index`. Runs on a worker.
    private func explain(_ index: Int) {
        let started = service.clock.now()
        let (waiting, reservation) = state.withLock { ($0.unexplained.removeValue(forKey: index), $0.reservation) }
        guard let waiting, let reservation else { return }
        var image = waiting.image
        if let deadline = reservation.deadline, started > deadline { return expire(index) }
        do throws(ServiceFailure) {
            image.result.explanation = try Explanation(
                of: waiting.input, classes: image.result.predictions.prefix(answer.mapCount).map(\.index),
                width: image.result.width, height: image.result.height, model: runner.model, in: service.pool,
                scratch: service.scratch)
        } catch { return fail(index, error) }
        let made = service.clock.now().nanoseconds(since: started)
        reservation.followUp(nanoseconds: made)
        let waited = started.nanoseconds(since: waiting.since)
        image.queueNanoseconds += waited
        image.computeNanoseconds += made
        if service.keepsNotes {
            image.steps += [
                InferenceNote.Step(name: .queueForWorker, start: waiting.since, nanoseconds: waited),
                InferenceNote.Step(name: .maps, start: started, nanoseconds: made),
            ]
        }
        complete(image)
    }

    /// The deadline has passed before image `index` was computed.
    func expire(_ index: Int) {
        fail(index, .deadlinePassed(microseconds: schedule.deadlineMicroseconds ?? 0))
    }

    private func fail(_ index: Int, _ failure: ServiceFailure) { complete(index, .failure(failure)) }

    private func complete(_ image: ComputedImage) {
        state.withLock { state in
            state.batchSize = image.batchSize
            state.steps = image.steps
            state.queueNanoseconds = max(state.queueNanoseconds, image.queueNanoseconds)
            state.computeNanoseconds = max(state.computeNanoseconds, image.computeNanoseconds)
            state.parts = InferenceStatistics.Parts(
                queueNanoseconds: image.queueNanoseconds, inputNanoseconds: image.inputNanoseconds,
                inferNanoseconds: image.computeNanoseconds)
        }
        complete(image.index, .result(image.result))
    }

    private func complete(_ index: Int, _ outcome: ImageOutcome) {
        let finished = state.withLock { state -> State? in
            guard !state.isCancelled, state.outcomes[index] == nil else { return nil }
            state.outcomes[index] = outcome
            state.missing -= 1
            guard state.missing == 0 else { return nil }
            return state
        }
        guard let finished else { return }
        var response = response(finished)
        response.tell(madeBy: runner.model)
        if service.keepsNotes { response.note = note(finished, response) }
        // Before the answer: who has it may send the next request, which needs a place.
        state.withLock { $0.reservation.take() }?.release()
        responder.respond(response)
    }

    private func note(_ state: State, _ response: Response) -> InferenceNote {
        var steps = state.steps
        if let encode = response.stages.last, encode.name == "encode" {
            let nanoseconds = Int64(encode.seconds * 1e9)
            steps.append(
                InferenceNote.Step(
                    name: .encode, start: service.clock.now().advanced(byNanoseconds: -nanoseconds),
                    nanoseconds: nanoseconds))
        }
        return InferenceNote(
            model: runner.model, imageCount: imageCount, batchSize: state.batchSize, steps: steps)
    }

    private func response(_ state: State) -> Response {
        let begun = service.clock.now()
        // A stage that nothing reached has taken no time, and is left out.
        let stages = [
            ("decode", state.decodeNanoseconds), ("resize", state.resizeNanoseconds), ("queue", state.queueNanoseconds),
            ("compute", state.computeNanoseconds),
        ].filter { $0.1 > 0 }.map { Stage(name: $0.0, seconds: Double($0.1) * 1e-9) }
        // Each image that fails by itself, and what concerns them all once.
        let failures = state.outcomes.compactMap { if case .failure(let failure)? = $0 { failure } else { nil } }
        for failure in failures where failure.concernsOneImage { service.metrics.reject(failure) }
        if let failure = failures.first(where: { !$0.concernsOneImage }) { service.metrics.reject(failure) }
        if let (index, failure) = failure(of: state.outcomes) {
            runner.statistics.failed(nanoseconds: begun.nanoseconds(since: received))
            let image = imageCount > 1 && failure.concernsOneImage ? index : nil
            return failure.response(to: reference, image: image, stages: stages)
        }
        do throws(ServiceFailure) {
            var response = try answer.response(state.outcomes.map { $0! }, model: runner.model)
            response.encodeBody(coding)
            let end = service.clock.now()
            response.stages = stages + [Stage(name: "encode", seconds: end.seconds(since: begun))]
            runner.statistics.succeeded(
                nanoseconds: end.nanoseconds(since: received), parts: state.parts,
                outputNanoseconds: end.nanoseconds(since: begun))
            return response
        } catch {
            service.metrics.reject(error)
            runner.statistics.failed(nanoseconds: begun.nanoseconds(since: received))
            return error.response(to: reference, stages: stages)
        }
    }

    /// The only image's failure is the request's, and so is a refusal that has nothing to do with the image.
    private func failure(of outcomes: [ImageOutcome?]) -> (index: Int, failure: ServiceFailure)? {
        for (index, outcome) in outcomes.enumerated() {
            if case .failure(let failure)? = outcome,
                imageCount == 1 || !answer.allowsFailures || !failure.concernsOneImage
            {
                return (index, failure)
            }
        }
        return nil
    }
}

/// An image whose batch has been run.
private struct ComputedImage: Sendable {
    /// Its place in the request.
    let index: Int
    var result: ImageResult
    let batchSize: Int
    let inputNanoseconds: Int64
    var queueNanoseconds: Int64
    var computeNanoseconds: Int64
    var steps: [InferenceNote.Step]
}
