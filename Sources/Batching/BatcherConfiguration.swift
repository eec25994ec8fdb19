import Parallelism

/// The limits of a batcher.
public struct BatcherConfiguration: Equatable, Sendable {
    /// How many elements a batch has at most.
    public var maxBatchSize: Int

    /// How many places the queue has. An element holds one from before it is prepared until its answer is given.
    public var maxQueueSize: Int

    /// How long the oldest element waits for a batch to fill while a worker is idle. With 0 an idle worker starts at
    /// once with what is there.
    public var maxQueueDelayMicroseconds: Int

    /// How long the work before a new request may be predicted to take; with more it is refused. 0 means any time.
    public var maxQueueWaitMilliseconds: Int

    /// How many batches run at the same time.
    public var workerCount: Int

    /// - Precondition: the sizes and `workerCount` are at least 1, the delay is at least 0 and at
    ///   most an hour, the wait at most a day.
    public init(
        maxBatchSize: Int = 8, maxQueueSize: Int = 256, maxQueueDelayMicroseconds: Int = 0,
        maxQueueWaitMilliseconds: Int = 0, workerCount: Int
    ) {
        precondition(maxBatchSize >= 1, "batches of \(maxBatchSize)")
        precondition(maxQueueSize >= 1, "a queue with \(maxQueueSize) places")
        precondition(workerCount >= 1, "\(workerCount) workers")
        precondition((0...3_600_000_000).contains(maxQueueDelayMicroseconds), "a delay outside of 0…1 hour")
        precondition((0...86_400_000).contains(maxQueueWaitMilliseconds), "a wait outside of 0…1 day")
        self.maxBatchSize = maxBatchSize
        self.maxQueueSize = maxQueueSize
        self.maxQueueDelayMicroseconds = maxQueueDelayMicroseconds
        self.maxQueueWaitMilliseconds = maxQueueWaitMilliseconds
        self.workerCount = workerCount
    }

    var maxQueueDelayNanoseconds: Int64 { Int64(maxQueueDelayMicroseconds) * 1000 }
    var maxQueueWaitNanoseconds: Int64 { Int64(maxQueueWaitMilliseconds) * 1_000_000 }
}

/// Why a batch was started with the size it has.
public enum FlushReason: String, CaseIterable, Sendable {
    /// It had the largest size allowed, or left more elements behind than there were free workers.
    case full
    /// Its oldest element had waited for the whole of the queue delay.
    case delay
    /// A worker was free, and nothing had to be left behind.
    case idle
    /// The queue is being emptied.
    case drain
}

/// Why places were refused, and after which time it is worth trying again.
public enum ReservationRefusal: Error, Equatable, Sendable {
    /// Not as many places are free.
    case queueFull(retryAfterNanoseconds: Int64)
    /// What lies before would take `nanoseconds`, which is longer than anybody is to wait.
    case waitTooLong(nanoseconds: Int64, retryAfterNanoseconds: Int64)
    /// The answer could not be ready before the deadline.
    case deadline(retryAfterNanoseconds: Int64)
}

/// What is remembered of a batch that has run.
public struct BatchRecord: Equatable, Sendable {
    public var size: Int
    public var reason: FlushReason
    /// The wait of the element that had waited longest, from its entry into the queue to the start.
    public var longestWaitNanoseconds: Int64
    /// From the start until its last element's result had been handed over.
    public var computeNanoseconds: Int64
    public var shortestWaitNanoseconds: Int64 = 0
    /// Of an even number, the lower of the two in the middle.
    public var medianWaitNanoseconds: Int64 = 0
    public var start = Instant(nanoseconds: 0)
    /// Of the element that took longest until the start.
    public var longestWay = ElementWay()
}

/// What took an element's time until its batch started. Units: nanoseconds.
public struct ElementWay: Equatable, Sendable {
    /// It waited for a worker that prepares it.
    public var workerNanoseconds: Int64
    public var preparationNanoseconds: Int64
    /// It waited for its batch.
    public var queueNanoseconds: Int64

    public init(workerNanoseconds: Int64 = 0, preparationNanoseconds: Int64 = 0, queueNanoseconds: Int64 = 0) {
        self.workerNanoseconds = workerNanoseconds
        self.preparationNanoseconds = preparationNanoseconds
        self.queueNanoseconds = queueNanoseconds
    }

    public var totalNanoseconds: Int64 { workerNanoseconds + preparationNanoseconds + queueNanoseconds }
}
