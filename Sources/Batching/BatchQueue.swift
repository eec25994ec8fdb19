import DequeModule
import Parallelism

/// The dynamic batcher's logic: takes events and the time, and says what is to be done. No thread, clock or lock.
///
/// An element's way: `reserve` takes places for a request, before its elements are prepared (decoded); `enqueue` puts a
/// prepared element into the queue; `startBatch` takes elements out of it, the most urgent first; `release` gives the
/// places back. So `maxQueueSize` bounds everything between a request's arrival and its answer, and `maxQueueWait…` how
/// long it takes. What is to be done for an element after its batch, by jobs of the same workers, are its *follow-ups*.
///
/// `workerCount` *slots* bound how many batches run at a time. A slot is either running, or scheduled (a job that will
/// start a batch is in the workers' own queue), or free. While elements are ready, none is left free that could serve them.
struct BatchQueue<Element> {
    typealias ReservationID = UInt64

    let configuration: BatcherConfiguration

    private var waiting = UrgencyQueue<Entry>()
    private var reservations: [ReservationID: Places] = [:]
    private var nextReservation: ReservationID = 0
    private var isDraining = false
    /// Never later than the first deadline of a waiting element.
    private var earliestDeadline: Instant?
    private var armedWake: Instant?
    private var records = Deque<BatchRecord>()

    /// Places taken, by whatever is being prepared, waits, runs or has not been answered.
    private(set) var placesInUse = 0
    /// Elements that have a place and will come, but are not here yet; a lane for each level of priority.
    private(set) var preparing = SIMD16<Int64>.zero
    /// Those in `waiting`, likewise.
    private(set) var waitingByLevel = SIMD16<Int64>.zero
    private(set) var scheduledCount = 0
    private(set) var runningCount = 0
    /// The elements of the batches that run.
    private(set) var runningElementCount = 0
    /// What a batch takes divided by its size, as a moving average over recent ones; before the first what was assumed, and
    /// nil where nothing was.
    var batchNanosecondsPerElement: Double? { measuredNanosecondsPerElement ?? assumedNanosecondsPerElement }
    private var measuredNanosecondsPerElement: Double?
    private var assumedNanosecondsPerElement: Double?
    /// Moving average over recent elements of the time that their preparation took.
    private(set) var preparationNanoseconds: Double?
    /// Follow-ups still to be done, a lane for each level, and how many elements they are of.
    private(set) var followUps = SIMD16<Int64>.zero
    private(set) var followedElementCount = 0
    /// Moving average over recent elements of the time that one of their follow-ups took; nil before the first.
    private(set) var followUpNanoseconds: Double?

    private struct Entry {
        var element: Element
        var reservation: ReservationID
        var deadline: Instant?
        var level: Int
        var enqueuedAt: Instant
        var workerNanoseconds: Int64
        var preparationNanoseconds: Int64

        func way(to start: Instant) -> ElementWay {
            ElementWay(
                workerNanoseconds: workerNanoseconds, preparationNanoseconds: preparationNanoseconds,
                queueNanoseconds: start.nanoseconds(since: enqueuedAt))
        }
    }

    private struct Places {
        let count: Int
        var deadline: Instant?
        var priority: Priority
        var urgency: Urgency
        var isLong: Bool
        /// Of each element.
        var followUps: Int
        var arrived = 0
        /// Elements whose follow-ups are done.
        var followedUp = 0
        var isCancelled = false

        /// Elements that the workers' queue has before it; long ones have a line of their own.
        var preparing: Int { isCancelled || isLong ? 0 : count - arrived }
        /// Elements whose follow-ups are still to be done: of long ones those that are there, as nobody else waits for the
        /// others.
        var followed: Int { isCancelled || followUps == 0 ? 0 : (isLong ? arrived : count) - followedUp }
        var lane: Int { priority.level - 1 }
    }

    /// Elements to be run together now, the most urgent first.
    struct Batch {
        var elements: [Element]
        var reason: FlushReason
        var ways: [ElementWay]
    }

    /// What the caller has to do after an event.
    struct Actions {
        /// Elements whose deadline has passed; they are no longer queued.
        var expired: [Element] = []
        /// How many jobs to submit to the workers, each of which calls `startBatch(isScheduled: true)`.
        var jobCount = 0
        /// When to call `alarmFired`, with this value.
        var wakeAt: Instant?
    }

    init(configuration: BatcherConfiguration) { self.configuration = configuration }

    var waitingCount: Int { waiting.count }

    var preparingCount: Int { Int(preparing.wrappedSum()) }
    /// Elements whose batch has not ended.
    var unbatchedCount: Int { preparingCount + waitingCount + runningElementCount }

    /// The last batches, the latest at the end.
    var recentBatches: [BatchRecord] { Array(records) }

    /// How many batches are remembered.
    static var recordCapacity: Int { 64 }
}

// MARK: - Events

extension BatchQueue {
    /// Takes `count` places, all or none.
    ///
    /// - Parameters:
    ///   - isLong: whether the elements are prepared in a line of their own: nobody else waits for that, and what it takes
    ///     says nothing of the others.
    ///   - followUps: of each element.
    ///   - elsewhere: what the workers have to do for others.
    /// - Throws: as `check`.
    mutating func reserve(
        _ count: Int, deadline: Instant?, priority: Priority = .usual, isLong: Bool = false, followUps: Int = 0,
        elsewhere: PendingWork = PendingWork(), now: Instant
    ) throws(ReservationRefusal) -> ReservationID {
        try check(
            count, deadline: deadline, priority: priority, followUps: followUps, elsewhere: elsewhere, now: now)
        defer { nextReservation += 1 }
        let places = Places(
            count: count, deadline: deadline, priority: priority, urgency: priority.urgency(arrival: now),
            isLong: isLong, followUps: followUps)
        reservations[nextReservation] = places
        countFollowUps(of: places, 1)
        placesInUse += count
        preparing[places.lane] += Int64(places.preparing)
        return nextReservation
    }

    /// Puts an element into one of its reservation's places. A worker of the pool that ends its job with this may run
    /// a batch at once, which saves a lone element the way through the workers' queue: `canRunHere`.
    ///
    /// - Parameters:
    ///   - workerNanoseconds: how long it has waited for a worker before.
    ///   - preparationNanoseconds: what it took a worker to prepare it, where one has.
    /// - Returns: nil where the reservation has been cancelled or released; the batch is for the caller to run.
    /// - Precondition: no more elements than places.
    mutating func enqueue(
        _ element: Element, reservation: ReservationID, workerNanoseconds: Int64 = 0,
        preparationNanoseconds: Int64? = nil, canRunHere: Bool, now: Instant
    ) -> (batch: Batch?, actions: Actions)? {
        guard var places = reservations[reservation], !places.isCancelled else { return nil }
        precondition(places.arrived < places.count, "more elements than the \(places.count) places reserved")
        countFollowUps(of: places, -1)
        places.arrived += 1
        countFollowUps(of: places, 1)
        reservations[reservation] = places
        if !places.isLong { preparing[places.lane] -= 1 }
        waitingByLevel[places.lane] += 1
        if !places.isLong, let latest = preparationNanoseconds.map(Double.init) {
            // Slower than batches': pictures differ more in size than batches do.
            self.preparationNanoseconds = self.preparationNanoseconds.map { $0 + (latest - $0) / 16 } ?? latest
        }
        waiting.insert(
            Entry(
                element: element, reservation: reservation, deadline: places.deadline, level: places.priority.level,
                enqueuedAt: now, workerNanoseconds: workerNanoseconds,
                preparationNanoseconds: preparationNanoseconds ?? 0), places.urgency)
        if let deadline = places.deadline { earliestDeadline = min(deadline, earliestDeadline ?? deadline) }
        // While others are being prepared they are worth waiting for, but not when there are as many as are worth a batch.
        if canRunHere, preparingCount == 0 || waiting.count >= worthwhileSize {
            return startBatch(isScheduled: false, now: now)
        }
        return (nil, settle(now))
    }

    /// A worker is ready to run a batch.
    ///
    /// - Parameter isScheduled: whether it comes from a job that `Actions.jobCount` asked for.
    /// - Returns: the batch, if there is one, after which `endBatch` is to be called.
    mutating func startBatch(isScheduled: Bool, now: Instant) -> (batch: Batch?, actions: Actions) {
        if isScheduled { scheduledCount -= 1 }
        let expired = expire(now)
        let batch = isReady(now) && runningCount < configuration.workerCount ? takeBatch(now) : nil
        var actions = settle(now)
        actions.expired = expired + actions.expired
        return (batch, actions)
    }

    /// A batch has been run.
    mutating func endBatch(_ record: BatchRecord, now: Instant) -> Actions {
        runningCount -= 1
        runningElementCount -= record.size
        if records.count == Self.recordCapacity { records.removeFirst() }
        records.append(record)
        let latest = Double(record.computeNanoseconds) / Double(record.size)
        measuredNanosecondsPerElement = measuredNanosecondsPerElement.map { $0 + (latest - $0) / 5 } ?? latest
        return settle(now)
    }

    /// Until a batch has run, a batch is taken to last so long divided by its size.
    mutating func assume(nanosecondsPerElement: Int64) { assumedNanosecondsPerElement = Double(nanosecondsPerElement) }

    /// All follow-ups of an element have been done.
    ///
    /// - Precondition: no more elements than places.
    mutating func followUp(_ reservation: ReservationID, nanoseconds: Int64) {
        guard var places = reservations[reservation], places.followUps > 0 else { return }
        let latest = Double(nanoseconds) / Double(places.followUps)
        followUpNanoseconds = followUpNanoseconds.map { $0 + (latest - $0) / 16 } ?? latest
        guard !places.isCancelled else { return }
        countFollowUps(of: places, -1)
        places.followedUp += 1
        precondition(places.followedUp <= places.count, "more elements followed up than \(places.count) places")
        countFollowUps(of: places, 1)
        reservations[reservation] = places
    }

    /// The workers' queue did not take a job: it is to be tried again soon.
    mutating func jobWasRefused(now: Instant) -> Actions {
        scheduledCount -= 1
        var actions = Actions()
        arm(now.advanced(byNanoseconds: 1_000_000), in: &actions)
        return actions
    }

    /// The alarm that was asked for with this `wakeAt` has gone off. It may be early, late, or no longer of interest.
    mutating func alarmFired(_ wakeAt: Instant, now: Instant) -> Actions {
        if armedWake == wakeAt { armedWake = nil }
        return settle(now)
    }

    /// Removes the reservation's elements that no batch has taken yet; those still to come will not be let in. The
    /// places stay taken.
    ///
    /// - Returns: the elements removed.
    mutating func cancel(_ reservation: ReservationID) -> [Element] {
        guard let places = reservations[reservation], !places.isCancelled else { return [] }
        preparing[places.lane] -= Int64(places.preparing)
        countFollowUps(of: places, -1)
        reservations[reservation]!.isCancelled = true
        return remove { $0.reservation == reservation }
    }

    /// Gives the places back, cancelling what still waits in them. Later calls do nothing.
    ///
    /// - Returns: the elements removed.
    mutating func release(_ reservation: ReservationID) -> [Element] {
        let removed = cancel(reservation)
        if let places = reservations.removeValue(forKey: reservation) { placesInUse -= places.count }
        return removed
    }

    /// From now on no element waits for a batch to fill. Places may still be reserved.
    mutating func drain(now: Instant) -> Actions {
        isDraining = true
        return settle(now)
    }
}

// MARK: - Rules

extension BatchQueue {
    /// - Parameter sign: 1 where they are to be done from now on, -1 where not.
    private mutating func countFollowUps(of places: Places, _ sign: Int) {
        followedElementCount += sign * places.followed
        followUps[places.lane] += Int64(sign * places.followed * places.followUps)
    }

    private func isReady(_ now: Instant) -> Bool {
        guard !waiting.isEmpty else { return false }
        return configuration.maxQueueDelayMicroseconds == 0 || isDraining
            || waiting.count >= configuration.maxBatchSize || dueTime <= now
    }

    /// When the queue delay of the element that has waited longest is over.
    ///
    /// - Precondition: one waits.
    private var dueTime: Instant {
        waiting.elements.map(\.enqueuedAt).min()!.advanced(byNanoseconds: configuration.maxQueueDelayNanoseconds)
    }

    /// How many elements are worth running together. The first of a batch waits for the last, which pays only where
    /// there is a backlog: with fewer than four unfinished elements a worker each runs by itself, with more of them
    /// batches grow. So free workers leave one another enough. With a queue delay, which asks for large batches, they are
    /// as large as may be.
    private var worthwhileSize: Int {
        worthwhileSize(backlog: unbatchedCount)
    }

    func worthwhileSize(backlog: Int) -> Int {
        guard configuration.maxQueueDelayMicroseconds == 0 else { return configuration.maxBatchSize }
        return max(1, min(configuration.maxBatchSize, backlog / (2 * configuration.workerCount)))
    }

    private mutating func takeBatch(_ now: Instant) -> Batch {
        let size = min(worthwhileSize, waiting.count)
        runningCount += 1
        runningElementCount += size
        let freeWorkers = configuration.workerCount - runningCount
        let reason: FlushReason =
            if size == configuration.maxBatchSize || waiting.count - size > freeWorkers {
                .full
            } else if isDraining {
                .drain
            } else {
                configuration.maxQueueDelayMicroseconds > 0 ? .delay : .idle
            }
        let entries = waiting.removeFirst(size)
        for entry in entries { waitingByLevel[entry.level - 1] -= 1 }
        return Batch(
            elements: entries.map(\.element), reason: reason,
            ways: entries.map { $0.way(to: now) })
    }

    /// After each event: lets go of what is late, fills free slots with jobs, and sets the alarm.
    private mutating func settle(_ now: Instant) -> Actions {
        var actions = Actions(expired: expire(now))
        if isReady(now) {
            // With a delay, what is left over after full batches has its own time to wait.
            let isDelaying = configuration.maxQueueDelayMicroseconds > 0 && !isDraining
            let size = worthwhileSize
            let batches = isDelaying ? max(1, waiting.count / size) : (waiting.count + size - 1) / size
            let free = configuration.workerCount - runningCount - scheduledCount
            actions.jobCount = max(0, min(free, batches - scheduledCount))
            scheduledCount += actions.jobCount
        } else if !waiting.isEmpty {
            arm(dueTime, in: &actions)
        }
        if let deadline = earliestDeadline { arm(deadline, in: &actions) }
        return actions
    }

    private mutating func arm(_ time: Instant, in actions: inout Actions) {
        if let armed = armedWake, armed <= time { return }
        armedWake = time
        actions.wakeAt = time
    }

    private mutating func expire(_ now: Instant) -> [Element] {
        guard let earliest = earliestDeadline, earliest <= now else { return [] }
        let expired = remove { entry in entry.deadline.map { $0 <= now } ?? false }
        earliestDeadline = waiting.elements.lazy.compactMap(\.deadline).min()
        return expired
    }

    private mutating func remove(where isRemoved: (Entry) -> Bool) -> [Element] {
        let removed = waiting.removeAll(where: isRemoved)
        for entry in removed { waitingByLevel[entry.level - 1] -= 1 }
        return removed.map(\.element)
    }
}
