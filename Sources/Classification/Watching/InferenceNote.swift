import HTTPServer
import Parallelism

/// What the records say of an inference beside what every answer has.
final class InferenceNote: Sendable {
    let model: String
    let version: Int
    /// Images of the request.
    let imageCount: Int
    /// Of the batch that the request's last image was in; 0 where none was computed.
    let batchSize: Int
    /// Of the request's last image, in the order of time.
    let steps: [Step]

    /// A part of a request's way, on the clock.
    struct Step: Equatable, Sendable {
        /// A stage, or what it waits for in one.
        var name: StepName
        var start: Instant
        var nanoseconds: Int64
    }

    enum StepName: String, Sendable {
        case read, decode, resize, compute, maps, encode
        /// In the line of those that want to be decoded, and of those that want their maps made.
        case queueForWorker = "queue for a worker"
        /// In the line of those that want to be computed.
        case queueForBatch = "queue for a batch"
    }

    init(model: ClassifierModel, imageCount: Int, batchSize: Int, steps: [Step]) {
        self.model = model.name
        version = model.version
        self.imageCount = imageCount
        self.batchSize = batchSize
        // What took no time has not been.
        self.steps = steps.filter { $0.nanoseconds > 0 }
    }
}

extension InferenceNote {
    /// An image's way through decoding, queue and batch.
    static func steps(of image: PendingImage, start: Instant, end: Instant) -> [Step] {
        let taken = image.enqueued.advanced(byNanoseconds: -image.preparedNanoseconds)
        let submitted = taken.advanced(byNanoseconds: -image.waitedNanoseconds)
        let decoded = taken.advanced(byNanoseconds: image.prepared.decodeNanoseconds)
        return [
            Step(name: .queueForWorker, start: submitted, nanoseconds: image.waitedNanoseconds),
            Step(name: .decode, start: taken, nanoseconds: image.prepared.decodeNanoseconds),
            Step(name: .resize, start: decoded, nanoseconds: image.prepared.resizeNanoseconds),
            Step(
                name: .queueForBatch, start: image.enqueued, nanoseconds: start.nanoseconds(since: image.enqueued)),
            Step(name: .compute, start: start, nanoseconds: end.nanoseconds(since: start)),
        ]
    }
}
