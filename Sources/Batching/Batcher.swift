import Dispatch
import Parallelism

/// Collects elements that come one by one into batches, and has them run by workers that it shares with other jobs.
///
/// A request first reserves a place for each of its elements, and is refused whole where there are not enough
/// (`reserve`). Its elements are then prepared by jobs of the same workers, and each job ends with
/// `Reservation.enqueue`. The places go back when the request is answered (`Reservation.release`).
///
/// ## The order of work
/// Preparing and running both happen on one pool with one first-in, first-out queue of jobs.
/// - As soon as an element is ready and fewer than `workerCount` batches run or are scheduled, a batch job goes to the
///   end of that queue. It decides what it takes when it starts, not when it is submitted.
/// - How many elements are worth a batch follows from the backlog of unfinished ones: one while there are few, so that no
///   element waits for another; more, up to `maxBatchSize`, where all have to wait anyway. With a queue delay, which asks
///   for large batches, it is always `maxBatchSize`.
/// - No job is passed over: a batch waits for the preparations that were queued before it, at most `maxQueueSize` of
///   them, and a preparation for at most `workerCount` batch jobs. A worker runs one batch a job and then takes the
///   queue's head again, so that a stream of batches starves neither preparations nor another model's batcher.
/// - Elements leave in the order of their requests' priority and age.
/// - A worker that has just enqueued an element runs a batch on the spot when nothing else is being prepared (a lone
///   request pays for no second way through the queue) or when as many are ready as are worth a batch.
/// - Workers need no barrier between them.
///
/// Concurrency: every method may be called from any thread. No closure is called with a lock held.
public final class Batcher<Element: Sendable>: Sendable {
    public typealias Work = @Sendable () -> Void

    private let queue: Lock<State>
    private let backlog: WorkBacklog
    private let metrics: BatcherMetrics
    private let clock: any Clock
    private let submit: @Sendable (@escaping Work) -> Bool
    private let wakeAfter: @Sendable (_ nanoseconds: Int64, @escaping Work) -> Void
    private let expire: @Sendable (Element) -> Void
    private let runBatch: @Sendable ([Element], FlushReason) -> Void

    private struct State {
        var queue: BatchQueue<Element>
        /// What the backlog knows of the queue's work.
        var published = PendingWork()
    }

    /// - Parameters:
    ///   - backlog: shared with whatever else has batches run by the same workers.
    ///   - submit: puts a job at the end of the workers' queue; false when it is full, whereupon it is tried again a
    ///     millisecond later.
    ///   - wakeAfter: calls its argument once, after so many nanoseconds, on any thread.
    ///   - expire: told of an element whose deadline passed before it was run. Must not block.
    ///   - run: runs a batch of 1 to `maxBatchSize` elements on the calling worker, and returns when it is done. The
    ///     elements carry with them whom to tell.
    public init(
        configuration: BatcherConfiguration, metrics: BatcherMetrics, backlog: WorkBacklog = WorkBacklog(),
        clock: any Clock = MonotonicClock(),
        submit: @escaping @Sendable (@escaping Work) -> Bool,
        wakeAfter: @escaping @Sendable (_ nanoseconds: Int64, @escaping Work) -> Void = { nanoseconds, work in
            DispatchQueue.global().asyncAfter(
                deadline: .now() + .nanoseconds(Int(nanoseconds)), execute: DispatchWorkItem(block: work))
        },
        expire: @escaping @Sendable (Element) -> Void,
        run: @escaping @Sendable ([Element], FlushReason) -> Void
    ) {
        queue = Lock(State(queue: BatchQueue(configuration: configuration)))
        self.backlog = backlog
        self.metrics = metrics
        self.clock = clock
        self.submit = submit
        self.wakeAfter = wakeAfter
        self.expire = expire
        runBatch = run
    }

    /// Takes a place for each of a request's elements, before any of them is prepared.
    ///
    /// - Throws: `queueFull` where fewer places are free, `waitTooLong` where recent batches say that its turn would come too late;
    ///   `deadline` where they say that the answer would. Nothing is taken then.
    /// - Parameters:
    ///   - isLong: whether the elements are prepared in a line of their own, which nobody else waits for.
    ///   - followUps: what is to be done for each element after its batch, in units that take about the same time:
    ///     estimates count on it. `Reservation.followUp` tells when it is done.
    /// - Precondition: `places` is at least 1.
    public func reserve(
        places: Int, deadline: Instant? = nil, priority: Priority = .usual, isLong: Bool = false, followUps: Int = 0
    ) throws(ReservationRefusal) -> Reservation<Element> {
        let now = clock.now()
        let id = try withQueue { (queue, elsewhere) throws(ReservationRefusal) in
            try queue.reserve(
                places, deadline: deadline, priority: priority, isLong: isLong, followUps: followUps,
                elsewhere: elsewhere, now: now)
        }
        return Reservation(batcher: self, id: id, deadline: deadline, urgency: priority.urgency(arrival: now))
    }

    /// Whether `reserve` would take places now, without taking them: for requests whose body has not been read.
    ///
    /// - Throws: as `reserve`.
    public func check(
        places: Int, deadline: Instant? = nil, priority: Priority = .usual, followUps: Int = 0
    ) throws(ReservationRefusal) {
        let now = clock.now()
        try withQueue { (queue, elsewhere) throws(ReservationRefusal) in
            try queue.check(
                places, deadline: deadline, priority: priority, followUps: followUps, elsewhere: elsewhere, now: now)
        }
    }

    /// Has the first requests let in by what an element is likely to take, until a batch has told.
    public func assume(nanosecondsPerElement: Int64) {
        withQueue { queue, _ in queue.assume(nanosecondsPerElement: nanosecondsPerElement) }
    }

    /// From now on no element waits for a batch to fill.
    public func drain() {
        let now = clock.now()
        perform(withQueue { queue, _ in queue.drain(now: now) })
    }

    /// Prepared elements that no batch has taken yet.
    public var waitingCount: Int { queue.withLock { $0.queue.waitingCount } }

    /// Places taken by requests that have not been answered.
    public var placesInUse: Int { queue.withLock { $0.queue.placesInUse } }

    /// The last 64 batches, the latest at the end.
    public var recentBatches: [BatchRecord] { queue.withLock { $0.queue.recentBatches } }

    /// Every change of the queue goes through here: it tells the backlog.
    ///
    /// - Parameter body: takes the queue and what the workers have to do for others.
    private func withQueue<Result, Failure: Error>(
        _ body: (inout BatchQueue<Element>, _ elsewhere: PendingWork) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try queue.withLock { (state) throws(Failure) in
            defer {
                let work = state.queue.pendingWork
                backlog.replace(state.published, by: work)
                state.published = work
            }
            return try body(&state.queue, backlog.total - state.published)
        }
    }
}

// MARK: - The queue's actions

extension Batcher {
    fileprivate func enqueue(
        _ element: Element, reservation: UInt64, workerNanoseconds: Int64, preparationNanoseconds: Int64?,
        canRunBatch: Bool
    ) -> Bool {
        let now = clock.now()
        let outcome = withQueue { queue, _ in
            queue.enqueue(
                element, reservation: reservation, workerNanoseconds: workerNanoseconds,
                preparationNanoseconds: preparationNanoseconds, canRunHere: canRunBatch, now: now)
        }
        guard let outcome else { return false }
        perform(outcome.actions)
        if let batch = outcome.batch { run(batch) }
        return true
    }

    fileprivate func cancel(_ reservation: UInt64) -> [Element] { withQueue { queue, _ in queue.cancel(reservation) } }
    fileprivate func release(_ reservation: UInt64) -> [Element] {
        withQueue { queue, _ in queue.release(reservation) }
    }

    fileprivate func followUp(_ reservation: UInt64, nanoseconds: Int64) {
        withQueue { queue, _ in queue.followUp(reservation, nanoseconds: nanoseconds) }
    }

    private func perform(_ actions: BatchQueue<Element>.Actions) {
        for _ in 0..<actions.jobCount {
            let isAccepted = submit { self.runScheduledBatch() }
            if isAccepted { continue }
            let now = clock.now()
            arm(withQueue { queue, _ in queue.jobWasRefused(now: now) })
        }
        arm(actions)
        actions.expired.forEach(expire)
    }

    private func arm(_ actions: BatchQueue<Element>.Actions) {
        guard let wakeAt = actions.wakeAt else { return }
        wakeAfter(max(0, wakeAt.nanoseconds(since: clock.now()))) { [weak self] in self?.alarmFired(wakeAt) }
    }

    private func alarmFired(_ wakeAt: Instant) {
        let now = clock.now()
        perform(withQueue { queue, _ in queue.alarmFired(wakeAt, now: now) })
    }

    private func runScheduledBatch() {
        let now = clock.now()
        let (batch, actions) = withQueue { queue, _ in queue.startBatch(isScheduled: true, now: now) }
        perform(actions)
        if let batch { run(batch) }
    }

    private func run(_ batch: BatchQueue<Element>.Batch) {
        metrics.count(batch)
        let start = clock.now()
        runBatch(batch.elements, batch.reason)
        let end = clock.now()
        var ways = batch.ways
        ways.sort { $0.queueNanoseconds < $1.queueNanoseconds }
        let record = BatchRecord(
            size: ways.count, reason: batch.reason, longestWaitNanoseconds: ways[ways.count - 1].queueNanoseconds,
            computeNanoseconds: end.nanoseconds(since: start), shortestWaitNanoseconds: ways[0].queueNanoseconds,
            medianWaitNanoseconds: ways[(ways.count - 1) / 2].queueNanoseconds, start: start,
            longestWay: ways.max { $0.totalNanoseconds < $1.totalNanoseconds }!)
        perform(withQueue { queue, _ in queue.endBatch(record, now: end) })
    }
}

/// A request's places in a batcher's queue. Whoever forgets to release them does so by letting go of this.
public final class Reservation<Element: Sendable>: Sendable {
    public let deadline: Instant?
    /// Where the request's work stands in the order of work, preparation included.
    public let urgency: Urgency
    private let batcher: Batcher<Element>
    private let id: UInt64

    fileprivate init(batcher: Batcher<Element>, id: UInt64, deadline: Instant?, urgency: Urgency) {
        self.batcher = batcher
        self.id = id
        self.deadline = deadline
        self.urgency = urgency
    }

    deinit { _ = batcher.release(id) }

    /// Puts a prepared element into the queue.
    ///
    /// - Parameters:
    ///   - workerNanoseconds: how long it has waited for that worker.
    ///   - preparationNanoseconds: what it took a worker to prepare it: later estimates count on it.
    ///   - canRunBatch: whether a batch may be run on the calling thread before this returns: true as the last act of a
    ///     job on one of the workers, false on threads that must not be held up.
    /// - Returns: false, with the element left out, where the reservation has been cancelled or released.
    /// - Precondition: no more elements than places.
    public func enqueue(
        _ element: Element, workerNanoseconds: Int64 = 0, preparationNanoseconds: Int64? = nil, canRunBatch: Bool
    ) -> Bool {
        batcher.enqueue(
            element, reservation: id, workerNanoseconds: workerNanoseconds,
            preparationNanoseconds: preparationNanoseconds, canRunBatch: canRunBatch)
    }

    /// All follow-ups of one of the elements have been done.
    ///
    /// - Parameter nanoseconds: what they took a worker: later estimates count on it.
    public func followUp(nanoseconds: Int64) { batcher.followUp(id, nanoseconds: nanoseconds) }

    /// Takes those elements back that no batch has taken yet, and refuses those still to come. The places stay taken
    /// until `release`.
    ///
    /// - Returns: the elements taken back, which nobody else will tell about.
    public func cancel() -> [Element] { batcher.cancel(id) }

    /// Gives the places back. Elements still in them are taken back as by `cancel`.
    @discardableResult
    public func release() -> [Element] { batcher.release(id) }
}
