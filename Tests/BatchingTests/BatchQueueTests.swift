import Parallelism
import Testing

@testable import Batching

struct BatchQueueTests {
    let start = Instant(nanoseconds: 1_000_000_000)

    func after(_ microseconds: Int64) -> Instant { start.advanced(byNanoseconds: microseconds * 1000) }

    func queue(
        batch: Int = 4, places: Int = 100, delay: Int = 0, workers: Int = 2
    ) -> BatchQueue<Int> {
        BatchQueue(
            configuration: BatcherConfiguration(
                maxBatchSize: batch, maxQueueSize: places, maxQueueDelayMicroseconds: delay, workerCount: workers))
    }

    /// A reservation and elements in it, which need not fill it.
    @discardableResult
    func enqueue(
        _ elements: Range<Int>, places: Int? = nil, deadline: Instant? = nil, into queue: inout BatchQueue<Int>
    ) throws -> (id: UInt64, jobs: Int, wakeAt: [Instant]) {
        let id = try queue.reserve(places ?? elements.count, deadline: deadline, now: start)
        var jobs = 0
        var wakeAt: [Instant] = []
        for element in elements {
            let outcome = queue.enqueue(element, reservation: id, canRunHere: false, now: start)
            let actions = try #require(outcome).actions
            jobs += actions.jobCount
            if let wake = actions.wakeAt { wakeAt.append(wake) }
        }
        return (id, jobs, wakeAt)
    }

    func record(size: Int, milliseconds: Int64) -> BatchRecord {
        BatchRecord(
            size: size, reason: .idle, longestWaitNanoseconds: 0, computeNanoseconds: milliseconds * 1_000_000)
    }

    // MARK: Starting batches

    @Test func aLoneElementRunsOnTheWorkerThatBringsIt() throws {
        var queue = queue()
        let id = try queue.reserve(1, deadline: nil, now: start)
        let outcome = queue.enqueue(7, reservation: id, canRunHere: true, now: start)
        let (batch, actions) = try #require(outcome)
        #expect(batch?.elements == [7])
        #expect(batch?.reason == .idle)
        #expect(batch?.ways.map(\.queueNanoseconds) == [0])
        #expect(actions.jobCount == 0)
        #expect(queue.runningCount == 1)
    }

    @Test func aThreadThatMayNotRunBatchesAsksForAJob() throws {
        var queue = queue()
        #expect(try enqueue(0..<1, into: &queue).jobs == 1)
        let (batch, _) = queue.startBatch(isScheduled: true, now: after(30))
        #expect(batch?.elements == [0])
        #expect(batch?.ways.map(\.queueNanoseconds) == [30_000])
    }

    @Test func aScheduledBatchTakesWhatCameAfterItWasScheduled() throws {
        var queue = queue(batch: 8)
        // More elements are to come: they are worth waiting for only until the job starts.
        let (id, jobs, _) = try enqueue(0..<1, places: 24, into: &queue)
        #expect(jobs == 1)
        for element in 1..<5 {
            let outcome = queue.enqueue(element, reservation: id, canRunHere: true, now: start)
            let (batch, actions) = try #require(outcome)
            #expect(batch == nil)
            #expect(actions.jobCount == 0)
        }
        let (batch, _) = queue.startBatch(isScheduled: true, now: start)
        #expect(batch?.elements == [0, 1, 2, 3, 4])
        #expect(batch?.reason == .idle)
    }

    @Test func aFullBatchRunsOnTheWorkerThatFillsIt() throws {
        var queue = queue(batch: 3)
        let id = try enqueue(0..<2, places: 12, into: &queue).id
        let outcome = queue.enqueue(2, reservation: id, canRunHere: true, now: start)
        let (batch, _) = try #require(outcome)
        #expect(batch?.elements == [0, 1, 2])
        #expect(batch?.reason == .full)
        // The job that was scheduled for them finds nothing, and its slot is free again.
        let (none, _) = queue.startBatch(isScheduled: true, now: start)
        #expect(none == nil)
        #expect(queue.scheduledCount == 0)
        #expect(queue.runningCount == 1)
    }

    /// Of ten elements that wait, beside others that are being prepared, the one worker takes half of the backlog.
    @Test(arguments: [(10, 5), (11, 5), (12, 6), (15, 7), (16, 8), (100, 8)])
    func batchesGrowWithTheBacklog(backlog: Int, size: Int) throws {
        var queue = queue(batch: 8, workers: 1)
        if backlog > 10 { _ = try queue.reserve(backlog - 10, deadline: nil, now: start) }
        try enqueue(0..<10, into: &queue)
        let batch = try #require(queue.startBatch(isScheduled: true, now: start).batch)
        #expect(batch.elements == Array(0..<size))
        // Elements are left behind, and no worker is free for them.
        #expect(batch.reason == .full)
    }

    @Test func whileTheBacklogIsShortNoElementWaitsForAnother() throws {
        var queue = queue(batch: 8, workers: 2)
        // Seven places: the others are still being prepared when the first is ready.
        let id = try queue.reserve(7, deadline: nil, now: start)
        for element in 0..<2 {
            let outcome = queue.enqueue(element, reservation: id, canRunHere: true, now: start)
            #expect(try #require(outcome).batch?.elements == [element])
        }
    }

    @Test func freeWorkersLeaveOneAnotherEnough() throws {
        var queue = queue(batch: 16, workers: 3)
        let jobs = try enqueue(0..<20, into: &queue).jobs
        #expect(jobs == 3)
        let batches = (0..<3).map { _ in queue.startBatch(isScheduled: true, now: start).batch }
        #expect(batches.map(\.?.elements) == [[0, 1, 2], [3, 4, 5], [6, 7, 8]])
        #expect(queue.waitingCount == 11)
    }

    @Test func whatIsLeftForAFreeWorkerIsNotLeftBehind() throws {
        var queue = queue(batch: 16, workers: 2)
        try enqueue(0..<2, into: &queue)
        let batches = (0..<2).map { _ in queue.startBatch(isScheduled: true, now: start).batch }
        #expect(batches.map(\.?.elements) == [[0], [1]])
        #expect(batches.map(\.?.reason) == [.idle, .idle])
    }

    @Test func whatRunsBelongsToTheBacklogUntilItIsDone() throws {
        var queue = queue(batch: 8, workers: 2)
        try enqueue(0..<16, into: &queue)
        #expect(queue.startBatch(isScheduled: true, now: start).batch?.elements == [0, 1, 2, 3])
        #expect(queue.startBatch(isScheduled: true, now: start).batch?.elements == [4, 5, 6, 7])
        _ = queue.endBatch(record(size: 4, milliseconds: 1), now: start)
        #expect(queue.startBatch(isScheduled: true, now: start).batch?.elements == [8, 9, 10])
    }

    @Test func noMoreBatchesRunThanThereAreWorkers() throws {
        var queue = queue(batch: 2, workers: 2)
        #expect(try enqueue(0..<12, into: &queue).jobs == 2)
        #expect(queue.startBatch(isScheduled: true, now: start).batch?.elements == [0, 1])
        #expect(queue.startBatch(isScheduled: true, now: start).batch?.elements == [2, 3])
        let (batch, actions) = queue.startBatch(isScheduled: false, now: start)
        #expect(batch == nil)
        #expect(actions.jobCount == 0)
        #expect(queue.endBatch(record(size: 2, milliseconds: 1), now: start).jobCount == 1)
        #expect(queue.startBatch(isScheduled: true, now: start).batch?.elements == [4, 5])
    }

    @Test func aJobThatWasRefusedIsAskedForAgain() throws {
        var queue = queue()
        #expect(try enqueue(0..<1, into: &queue).jobs == 1)
        let wakeAt = try #require(queue.jobWasRefused(now: start).wakeAt)
        #expect(wakeAt > start)
        #expect(queue.scheduledCount == 0)
        #expect(queue.alarmFired(wakeAt, now: wakeAt).jobCount == 1)
    }

    // MARK: Delay and drain

    @Test func withADelayAnIdleWorkerWaitsForIt() throws {
        var queue = queue(batch: 4, delay: 500)
        let (_, jobs, wakeAt) = try enqueue(0..<2, into: &queue)
        #expect(jobs == 0)
        #expect(wakeAt == [after(500)])
        // Early, as a coarse timer may be: it is set again.
        #expect(queue.alarmFired(after(500), now: after(499)).wakeAt == after(500))
        #expect(queue.alarmFired(after(500), now: after(500)).jobCount == 1)
        let (batch, _) = queue.startBatch(isScheduled: true, now: after(510))
        #expect(batch?.elements == [0, 1])
        #expect(batch?.reason == .delay)
    }

    @Test func withADelayAFullBatchDoesNotWait() throws {
        var queue = queue(batch: 4, delay: 500)
        #expect(try enqueue(0..<5, into: &queue).jobs == 1)
        let (batch, actions) = queue.startBatch(isScheduled: true, now: start)
        #expect(batch?.elements == [0, 1, 2, 3])
        #expect(batch?.reason == .full)
        // The fifth waits for its own delay; the alarm was set by the first.
        #expect(actions.jobCount == 0)
        #expect(queue.alarmFired(after(500), now: after(500)).jobCount == 1)
    }

    @Test func drainingEndsTheWait() throws {
        var queue = queue(batch: 4, delay: 500)
        try enqueue(0..<2, into: &queue)
        #expect(queue.drain(now: after(1)).jobCount == 1)
        #expect(queue.startBatch(isScheduled: true, now: after(1)).batch?.reason == .drain)
        #expect(try enqueue(2..<3, into: &queue).jobs == 1)
    }

    // MARK: Places

    @Test func refusesARequestWholeForWhichPlacesAreMissing() throws {
        var queue = queue(places: 10)
        let first = try queue.reserve(7, deadline: nil, now: start)
        #expect(throws: ReservationRefusal.queueFull(retryAfterNanoseconds: 0)) {
            try queue.reserve(4, deadline: nil, now: start)
        }
        #expect(queue.placesInUse == 7)
        _ = try queue.reserve(3, deadline: nil, now: start)
        #expect(queue.placesInUse == 10)
        #expect(queue.release(first).isEmpty)
        #expect(queue.release(first).isEmpty)
        #expect(queue.placesInUse == 3)
        #expect(queue.preparingCount == 3)
        #expect(throws: ReservationRefusal.queueFull(retryAfterNanoseconds: 0)) {
            try queue.reserve(.max, deadline: nil, now: start)
        }
    }

    @Test func aPlaceStaysTakenUntilTheAnswer() throws {
        var queue = queue(places: 1)
        let id = try enqueue(0..<1, into: &queue).id
        _ = queue.startBatch(isScheduled: true, now: start)
        _ = queue.endBatch(record(size: 1, milliseconds: 1), now: start)
        #expect(queue.placesInUse == 1)
        _ = queue.release(id)
        #expect(queue.placesInUse == 0)
    }

    // MARK: Priorities

    @Test func theMoreUrgentGoesFirst() throws {
        var queue = queue(batch: 1, workers: 1)
        for (element, priority) in [5, 10, 1, 0, 4, 99, 1].enumerated() {
            let id = try queue.reserve(
                1, deadline: nil, priority: Priority(requested: priority), now: after(Int64(element)))
            _ = queue.enqueue(element, reservation: id, canRunHere: false, now: after(Int64(element)))
        }
        var order: [Int] = []
        while let batch = queue.startBatch(isScheduled: order.isEmpty, now: after(10)).batch {
            order += batch.elements
            _ = queue.endBatch(record(size: 1, milliseconds: 1), now: after(10))
        }
        #expect(order == [2, 6, 4, 0, 3, 1, 5])
    }

    @Test func whatHasWaitedIsNotPassedOver() throws {
        var queue = queue(batch: 1, workers: 1)
        // Nine levels lie between them: 900 ms.
        for (element, priority, milliseconds) in [(0, 10, 0), (1, 1, 899), (2, 1, 901)] as [(Int, Int, Int64)] {
            let now = after(milliseconds * 1000)
            let id = try queue.reserve(1, deadline: nil, priority: Priority(requested: priority), now: now)
            _ = queue.enqueue(element, reservation: id, canRunHere: false, now: now)
        }
        var order: [Int] = []
        while let batch = queue.startBatch(isScheduled: order.isEmpty, now: after(1_000_000)).batch {
            order += batch.elements
            _ = queue.endBatch(record(size: 1, milliseconds: 1), now: after(1_000_000))
        }
        #expect(order == [1, 0, 2])
    }

    @Test func onlyWhatGoesBeforeCountsForAHigherPriority() throws {
        var queue = try timedQueue()
        for _ in 0..<11 { _ = try queue.reserve(1, deadline: nil, now: start) }
        #expect(throws: ReservationRefusal.self) { try queue.reserve(1, deadline: nil, now: start) }
        #expect(throws: ReservationRefusal.self) {
            try queue.reserve(1, deadline: nil, priority: Priority(requested: 6), now: start)
        }
        _ = try queue.reserve(1, deadline: after(10_001), priority: Priority(requested: 4), now: start)
    }

    // MARK: Deadlines

    @Test func refusesADeadlineThatCannotBeMet() throws {
        var queue = queue(places: 10, workers: 2)
        #expect(throws: ReservationRefusal.deadline(retryAfterNanoseconds: 0)) {
            try queue.reserve(1, deadline: start, now: start)
        }
        try enqueue(0..<4, into: &queue)
        _ = queue.startBatch(isScheduled: true, now: start)
        _ = queue.endBatch(record(size: 1, milliseconds: 10), now: start)
        // 10 ms each, on 2 workers: 3 are left of the first ones, and 2 come.
        #expect(throws: ReservationRefusal.deadline(retryAfterNanoseconds: 15_000_000)) {
            try queue.reserve(2, deadline: after(25_000), now: start)
        }
        _ = try queue.reserve(2, deadline: after(25_001), now: start)
    }

    @Test func aDeadlineMustWaitForTheWholeBatch() throws {
        var queue = BatchQueue<Int>(configuration: BatcherConfiguration(maxBatchSize: 8, workerCount: 1))
        let id = try enqueue(0..<1, into: &queue).id
        _ = queue.startBatch(isScheduled: true, now: start)
        _ = queue.endBatch(record(size: 1, milliseconds: 10), now: start)
        _ = queue.release(id)
        _ = try queue.reserve(16, deadline: nil, now: start)
        // 16 elements before it, and 7 that may come after it into its batch of 8.
        #expect(throws: ReservationRefusal.deadline(retryAfterNanoseconds: 160_000_000)) {
            try queue.reserve(1, deadline: after(240_000), now: start)
        }
        _ = try queue.reserve(1, deadline: after(240_001), now: start)
    }

    @Test func expiresAnElementWhoseDeadlinePassesInTheQueue() throws {
        var queue = queue(workers: 1)
        try enqueue(0..<1, into: &queue)
        _ = queue.startBatch(isScheduled: true, now: start)
        let late = try enqueue(1..<3, deadline: after(900), into: &queue)
        #expect(late.wakeAt == [after(900)])
        try enqueue(3..<4, deadline: after(5000), into: &queue)
        let actions = queue.alarmFired(after(900), now: after(900))
        #expect(actions.expired == [1, 2])
        #expect(actions.wakeAt == after(5000))
        #expect(queue.waitingCount == 1)
    }

    @Test func runsNoElementThatIsLate() throws {
        var queue = queue()
        try enqueue(0..<1, deadline: after(10), into: &queue)
        let (batch, actions) = queue.startBatch(isScheduled: true, now: after(10))
        #expect(batch == nil)
        #expect(actions.expired == [0])
    }

    // MARK: Cancelling

    @Test func cancellingTakesBackWhatHasNotStarted() throws {
        var queue = queue(batch: 2, workers: 1)
        let first = try enqueue(0..<3, places: 4, into: &queue).id
        try enqueue(3..<4, into: &queue)
        #expect(queue.startBatch(isScheduled: true, now: start).batch?.elements == [0, 1])
        #expect(queue.cancel(first) == [2])
        #expect(queue.cancel(first).isEmpty)
        let late = queue.enqueue(9, reservation: first, canRunHere: true, now: start)
        #expect(late == nil)
        #expect(queue.placesInUse == 5)
        #expect(queue.preparingCount == 0)
        _ = queue.release(first)
        #expect(queue.placesInUse == 1)
        _ = queue.endBatch(record(size: 2, milliseconds: 1), now: start)
        #expect(queue.startBatch(isScheduled: true, now: start).batch?.elements == [3])
    }

    @Test func releasingTakesBackWhatHasNotStarted() throws {
        var queue = queue()
        let id = try enqueue(0..<2, into: &queue).id
        #expect(queue.release(id) == [0, 1])
        let late = queue.enqueue(9, reservation: id, canRunHere: true, now: start)
        #expect(late == nil)
        #expect(queue.startBatch(isScheduled: true, now: start).batch == nil)
    }

    @Test func remembersTheLastBatches() {
        var queue = queue()
        let count = BatchQueue<Int>.recordCapacity + 3
        for size in 1...count {
            _ = try? enqueue(0..<1, into: &queue)
            _ = queue.startBatch(isScheduled: true, now: start)
            _ = queue.endBatch(record(size: size, milliseconds: 1), now: start)
        }
        #expect(queue.recentBatches.map(\.size) == Array(4...count))
    }
}

extension BatchQueueTests {
    @Test func anIdleQueueTriesWhateverTheEstimateSays() throws {
        var queue = BatchQueue<Int>(configuration: BatcherConfiguration(workerCount: 1))
        let now = Instant(nanoseconds: 0)
        let first = try queue.reserve(1, deadline: nil, now: now)
        _ = queue.enqueue(0, reservation: first, canRunHere: false, now: now)
        _ = queue.startBatch(isScheduled: true, now: now)
        let slow = BatchRecord(size: 1, reason: .idle, longestWaitNanoseconds: 0, computeNanoseconds: 10_000_000_000)
        _ = queue.endBatch(slow, now: now)
        let soon = now.advanced(byNanoseconds: 1_000_000)
        // The first's place is still taken: by the estimate a second one would be too late.
        #expect(throws: ReservationRefusal.deadline(retryAfterNanoseconds: 10_000_000_000)) {
            try queue.reserve(1, deadline: soon, now: now)
        }
        _ = queue.release(first)
        _ = try queue.reserve(1, deadline: soon, now: now)
        #expect(throws: ReservationRefusal.self) { try queue.reserve(1, deadline: now, now: soon) }
    }
}
