import FoundationEssentials
import Parallelism

/// What one model has done since it was loaded.
///
/// Source: the statistics extension of the Open Inference Protocol V2.
final class InferenceStatistics: Sendable {
    /// How often, and how long in all.
    struct Duration: Equatable, Sendable {
        var count = 0
        var nanoseconds: Int64 = 0

        mutating func add(_ nanoseconds: Int64) {
            count += 1
            self.nanoseconds += nanoseconds
        }
    }

    /// A request's parts, of the image that was ready last: so they follow each other within the request.
    struct Parts: Equatable, Sendable {
        var queueNanoseconds: Int64 = 0
        var inputNanoseconds: Int64 = 0
        var inferNanoseconds: Int64 = 0
    }

    /// Batches of one size.
    struct Batches: Equatable, Sendable {
        var input = Duration()
        var infer = Duration()
        var output = Duration()
    }

    struct Snapshot: Equatable, Sendable {
        var success = Duration()
        var fail = Duration()
        var queue = Duration()
        var input = Duration()
        var infer = Duration()
        var output = Duration()
        /// Images computed.
        var inferenceCount = 0
        /// Batches computed.
        var executionCount = 0
        /// Units: milliseconds since 1970; 0 before the first.
        var lastInference: Int64 = 0
        var batches: [Int: Batches] = [:]
    }

    private let state = Lock(Snapshot())

    var snapshot: Snapshot { state.withLock { $0 } }

    /// A request has been answered.
    func succeeded(nanoseconds: Int64, parts: Parts, outputNanoseconds: Int64) {
        state.withLock { state in
            state.success.add(nanoseconds)
            state.queue.add(parts.queueNanoseconds)
            state.input.add(parts.inputNanoseconds)
            state.infer.add(parts.inferNanoseconds)
            state.output.add(outputNanoseconds)
        }
    }

    /// A request for this model has been refused or has failed.
    func failed(nanoseconds: Int64) { state.withLock { $0.fail.add(nanoseconds) } }

    /// A batch has been computed; its results are still to be handed over.
    func computedBatch(size: Int, inputNanoseconds: Int64, inferNanoseconds: Int64) {
        let milliseconds = Int64(Date().timeIntervalSince1970 * 1000)
        state.withLock { state in
            state.inferenceCount += size
            state.executionCount += 1
            state.lastInference = milliseconds
            state.batches[size, default: Batches()].input.add(inputNanoseconds)
            state.batches[size]!.infer.add(inferNanoseconds)
            state.batches[size]!.output.count += 1
        }
    }

    /// The results of a batch have been handed over, and the answers made that were complete with them.
    func handedOverBatch(size: Int, nanoseconds: Int64) {
        state.withLock { $0.batches[size]!.output.nanoseconds += nanoseconds }
    }
}
