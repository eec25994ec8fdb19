import Parallelism
import Testing

@testable import Batching

/// Who is let in.
extension BatchQueueTests {
    @Test func estimatesFromTheQueuesDepthAndRecentBatches() throws {
        var queue = queue(batch: 4, places: 10, workers: 2)
        #expect(queue.nanosecondsUntilEmpty(elsewhere: PendingWork()) == 0)
        try enqueue(0..<8, into: &queue)
        _ = queue.startBatch(isScheduled: true, now: start)
        _ = queue.endBatch(record(size: 2, milliseconds: 20), now: start)
        // 10 ms an element: the first batch took 2 of 8, and 6 are left for 2 workers.
        #expect(queue.nanosecondsUntilEmpty(elsewhere: PendingWork()) == 30_000_000)
        #expect(throws: ReservationRefusal.queueFull(retryAfterNanoseconds: 30_000_000)) {
            try queue.reserve(3, deadline: nil, now: start)
        }
        // A fifth of the way to 20 ms, for 5 elements.
        _ = queue.startBatch(isScheduled: true, now: start)
        _ = queue.endBatch(record(size: 1, milliseconds: 20), now: start)
        #expect(queue.nanosecondsUntilEmpty(elsewhere: PendingWork()) == 30_000_000)
    }

    @Test func countsPreparationAndWhatRunsAndWhatOthersHave() throws {
        var queue = queue(batch: 1, places: 100, workers: 1)
        let id = try queue.reserve(4, deadline: nil, now: start)
        // 3 ms to prepare each, 10 ms to run each.
        _ = queue.enqueue(0, reservation: id, preparationNanoseconds: 3_000_000, canRunHere: false, now: start)
        _ = queue.startBatch(isScheduled: true, now: start)
        _ = queue.endBatch(record(size: 1, milliseconds: 10), now: start)
        var elsewhere = PendingWork()
        #expect(queue.nanosecondsUntilEmpty(elsewhere: elsewhere) == 39_000_000)
        _ = queue.enqueue(1, reservation: id, preparationNanoseconds: 3_000_000, canRunHere: false, now: start)
        #expect(queue.nanosecondsUntilEmpty(elsewhere: elsewhere) == 36_000_000)
        _ = queue.startBatch(isScheduled: true, now: start)
        #expect(queue.nanosecondsUntilEmpty(elsewhere: elsewhere) == 36_000_000)
        elsewhere.add([0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], nanosecondsEach: 7_000_000)
        #expect(queue.nanosecondsUntilEmpty(elsewhere: elsewhere) == 50_000_000)
    }

    @Test func takesAnAssumptionUntilABatchHasTold() throws {
        var queue = BatchQueue<Int>(
            configuration: BatcherConfiguration(maxBatchSize: 1, maxQueueWaitMilliseconds: 100, workerCount: 1))
        queue.assume(nanosecondsPerElement: 40_000_000)
        #expect(queue.nanosecondsUntilEmpty(elsewhere: PendingWork()) == 40_000_000)
        var ids: [UInt64] = []
        for _ in 0..<3 { ids.append(try queue.reserve(1, deadline: nil, now: start)) }
        #expect(throws: ReservationRefusal.waitTooLong(nanoseconds: 120_000_000, retryAfterNanoseconds: 120_000_000)) {
            try queue.reserve(1, deadline: nil, now: start)
        }
        _ = queue.enqueue(0, reservation: ids[0], canRunHere: true, now: start)
        // Not an average with what was assumed.
        _ = queue.endBatch(record(size: 1, milliseconds: 10), now: start)
        #expect(queue.batchNanosecondsPerElement == 10_000_000)
        for _ in 0..<8 { _ = try queue.reserve(1, deadline: nil, now: start) }
    }

    // MARK: The wait of what is let in

    /// A queue with one worker and elements of 10 ms, which lets in what waits up to 100 ms.
    func timedQueue(wait: Int = 100, milliseconds: Int64 = 10) throws -> BatchQueue<Int> {
        var queue = BatchQueue<Int>(
            configuration: BatcherConfiguration(maxBatchSize: 1, maxQueueWaitMilliseconds: wait, workerCount: 1))
        let id = try enqueue(0..<1, into: &queue).id
        _ = queue.startBatch(isScheduled: true, now: start)
        _ = queue.endBatch(record(size: 1, milliseconds: milliseconds), now: start)
        _ = queue.release(id)
        return queue
    }

    @Test func letsInWhatDoesNotWaitTooLong() throws {
        var queue = try timedQueue()
        for _ in 0..<10 { _ = try queue.reserve(1, deadline: nil, now: start) }
        // 100 ms lie before the eleventh, and 110 before the twelfth. Its own size does not count.
        _ = try queue.reserve(1, deadline: nil, now: start)
        #expect(throws: ReservationRefusal.waitTooLong(nanoseconds: 110_000_000, retryAfterNanoseconds: 110_000_000)) {
            try queue.reserve(1, deadline: nil, now: start)
        }
        var other = try timedQueue()
        _ = try other.reserve(64, deadline: nil, now: start)
        #expect(throws: ReservationRefusal.waitTooLong(nanoseconds: 640_000_000, retryAfterNanoseconds: 640_000_000)) {
            try other.reserve(1, deadline: nil, now: start)
        }
    }

    /// Long preparations have a line of their own: nobody waits for them, and they say nothing of the others.
    @Test func longPreparationsArePricedByNobody() throws {
        var queue = try timedQueue()
        let id = try queue.reserve(200, deadline: nil, isLong: true, now: start)
        #expect(queue.preparingCount == 0 && queue.placesInUse == 200)
        _ = try queue.reserve(1, deadline: nil, now: start)
        let before = queue.preparationNanoseconds
        _ = queue.enqueue(1, reservation: id, preparationNanoseconds: 900_000_000, canRunHere: false, now: start)
        #expect(queue.preparationNanoseconds == before && queue.preparingCount == 1)
        _ = queue.release(id)
        #expect(queue.preparingCount == 1 && queue.placesInUse == 1)
    }

    @Test func alwaysLetsInTwoAWorker() throws {
        var queue = try timedQueue(milliseconds: 5000)
        _ = try queue.reserve(1, deadline: nil, now: start)
        _ = try queue.reserve(1, deadline: nil, now: start)
        let wait: Int64 = 10_000_000_000
        #expect(throws: ReservationRefusal.waitTooLong(nanoseconds: wait, retryAfterNanoseconds: wait)) {
            try queue.reserve(1, deadline: nil, now: start)
        }
    }

    @Test func withoutALimitOnlyPlacesCount() throws {
        var queue = try timedQueue(wait: 0)
        for _ in 0..<256 { _ = try queue.reserve(1, deadline: nil, now: start) }
        #expect(throws: ReservationRefusal.self) { try queue.reserve(1, deadline: nil, now: start) }
    }

    // MARK: Follow-ups

    /// A queue with one worker and elements of 10 ms, of which one follow-up takes 3 ms.
    func followedQueue() throws -> BatchQueue<Int> {
        var queue = try timedQueue()
        let id = try queue.reserve(1, deadline: nil, followUps: 2, now: start)
        queue.followUp(id, nanoseconds: 6_000_000)
        _ = queue.release(id)
        return queue
    }

    @Test func followUpsCountUntilTheyAreDone() throws {
        var queue = try followedQueue()
        let id = try queue.reserve(2, deadline: nil, followUps: 5, now: start)
        #expect(queue.pendingWork.totalNanoseconds == 2 * 10_000_000 + 10 * 3_000_000 && queue.pendingWork.count == 2)
        for element in 0..<2 {
            _ = queue.enqueue(element, reservation: id, canRunHere: false, now: start)
            _ = queue.startBatch(isScheduled: true, now: start)
            _ = queue.endBatch(record(size: 1, milliseconds: 10), now: start)
        }
        // The batches are over, and the worker is not free.
        #expect(queue.pendingWork.totalNanoseconds == 30_000_000 && queue.pendingWork.count == 2)
        queue.followUp(id, nanoseconds: 15_000_000)
        #expect(queue.pendingWork.totalNanoseconds == 15_000_000 && queue.pendingWork.count == 1)
        queue.followUp(id, nanoseconds: 15_000_000)
        #expect(queue.pendingWork == PendingWork() && queue.placesInUse == 2)
        _ = queue.release(id)
        #expect(queue.pendingWork == PendingWork())
    }

    @Test func followUpsOfWhatIsCancelledAreNotDone() throws {
        var queue = try followedQueue()
        let id = try queue.reserve(3, deadline: nil, followUps: 1, now: start)
        _ = queue.cancel(id)
        #expect(queue.pendingWork == PendingWork())
        // One that had begun ends.
        queue.followUp(id, nanoseconds: 3_000_000)
        _ = queue.release(id)
        queue.followUp(id, nanoseconds: 3_000_000)
        #expect(queue.pendingWork == PendingWork())
    }

    @Test func followUpsOfOthersCountInTheWaitAndTheirOwnInTheDeadline() throws {
        var queue = try followedQueue()
        _ = try queue.reserve(5, deadline: nil, followUps: 5, now: start)
        let wait: Int64 = 5 * (10 + 15) * 1_000_000
        #expect(throws: ReservationRefusal.waitTooLong(nanoseconds: wait, retryAfterNanoseconds: wait)) {
            try queue.reserve(1, deadline: nil, now: start)
        }
        var other = try followedQueue()
        _ = try other.reserve(1, deadline: nil, followUps: 1, now: start)
        // 13 ms before it, 10 its own, and 6 its follow-ups.
        let soon = start.advanced(byNanoseconds: 28_000_000)
        #expect(throws: ReservationRefusal.deadline(retryAfterNanoseconds: 13_000_000)) {
            try other.reserve(1, deadline: soon, followUps: 2, now: start)
        }
        _ = try other.reserve(1, deadline: soon, now: start)
    }

    /// However wrong the estimate of follow-ups has become, some are let in that correct it.
    @Test func theFirstFollowUpsAreTriedBesideOtherWork() throws {
        var queue = try timedQueue()
        let id = try queue.reserve(1, deadline: nil, followUps: 1, now: start)
        queue.followUp(id, nanoseconds: 10_000_000_000)
        _ = queue.release(id)
        _ = try queue.reserve(1, deadline: nil, now: start)
        let soon = start.advanced(byNanoseconds: 28_000_000)
        _ = try queue.reserve(1, deadline: soon, followUps: 1, now: start)
        #expect(throws: ReservationRefusal.self) { try queue.reserve(1, deadline: soon, followUps: 1, now: start) }
    }

    /// Long ones come out of a line of their own at some time: until then nobody waits for what follows them.
    @Test func followUpsOfLongOnesCountOnceTheyAreThere() throws {
        var queue = try followedQueue()
        let id = try queue.reserve(3, deadline: nil, isLong: true, followUps: 2, now: start)
        #expect(queue.followedElementCount == 0)
        _ = queue.enqueue(1, reservation: id, canRunHere: false, now: start)
        #expect(queue.followedElementCount == 1 && queue.followUps.wrappedSum() == 2)
        queue.followUp(id, nanoseconds: 6_000_000)
        #expect(queue.followedElementCount == 0 && queue.followUps.wrappedSum() == 0)
    }

    /// Priorities wait for the follow-ups of their own and of higher levels alone.
    @Test func followUpsHaveThePriorityOfTheirRequest() throws {
        var queue = try followedQueue()
        _ = try queue.reserve(5, deadline: nil, priority: Priority(requested: 7), followUps: 5, now: start)
        _ = try queue.reserve(1, deadline: nil, priority: Priority(requested: 6), now: start)
        #expect(throws: ReservationRefusal.self) {
            try queue.reserve(1, deadline: nil, priority: Priority(requested: 8), now: start)
        }
    }
}
