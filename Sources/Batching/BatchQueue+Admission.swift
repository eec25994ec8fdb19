import Parallelism

/// Who is let in: a request whose turn is predicted to come soon enough.
extension BatchQueue {
    /// What is left to do for the elements that have a place, by the time that recent ones took.
    var pendingWork: PendingWork {
        let batch = Int64(batchNanosecondsPerElement ?? 0)
        var work = PendingWork()
        work.add(preparing, nanosecondsEach: batch + Int64(preparationNanoseconds ?? 0))
        work.add(waitingByLevel, nanosecondsEach: batch)
        // Whatever runs goes before everything.
        var running = SIMD16<Int64>.zero
        running[0] = Int64(runningElementCount)
        work.add(running, nanosecondsEach: batch)
        work.addFollowUps(
            followUps, nanosecondsEach: Int64(followUpNanoseconds ?? 0), ofElements: followedElementCount)
        return work
    }

    /// Whether `count` places can be taken.
    ///
    /// What counts is the work before the request, not its own: a request of many elements is as welcome as one of one.
    /// Two elements a worker are always let in, so that none runs dry, however long one takes.
    ///
    /// - Throws: `queueFull` where fewer places are free; `waitTooLong` where the elements before this request are
    ///   predicted to take longer than `maxQueueWaitMilliseconds`; `deadline` where the last of its own would be ready too late, in an
    ///   idle queue only where the deadline has passed.
    func check(
        _ count: Int, deadline: Instant?, priority: Priority, followUps: Int = 0, elsewhere: PendingWork, now: Instant
    ) throws(ReservationRefusal) {
        precondition(count >= 1, "a reservation of \(count) places")
        guard count <= configuration.maxQueueSize - placesInUse else {
            throw .queueFull(retryAfterNanoseconds: nanosecondsUntilEmpty(elsewhere: elsewhere))
        }
        let work = pendingWork + elsewhere
        let workerCount = configuration.workerCount
        let wait = work.nanoseconds(before: priority) / Int64(workerCount)
        if configuration.maxQueueWaitMilliseconds > 0, wait > configuration.maxQueueWaitNanoseconds,
            work.count >= 2 * workerCount
        {
            throw .waitTooLong(
                nanoseconds: wait, retryAfterNanoseconds: nanosecondsUntilEmpty(elsewhere: elsewhere))
        }
        guard let deadline else { return }
        // Nothing that runs could correct an estimate that refuses everything: an idle queue tries, and so do the first
        // follow-ups.
        let isIdle = placesInUse == 0 && elsewhere.count == 0
        // The last of them comes out with the whole of its batch, which those that come later may fill.
        let batchSize = worthwhileSize(backlog: unbatchedCount + elsewhere.count + count)
        let turns = (count + workerCount - 1) / workerCount
        let followed = followedElementCount == 0 ? 0 : Int64(turns * followUps) * Int64(followUpNanoseconds ?? 0)
        let own = Int64(max(1, turns) + batchSize - 1) * nanosecondsPerElement + followed
        let predicted = isIdle ? 0 : wait + own + configuration.maxQueueDelayNanoseconds
        guard now.advanced(byNanoseconds: predicted) < deadline else {
            throw .deadline(retryAfterNanoseconds: nanosecondsUntilEmpty(elsewhere: elsewhere))
        }
    }

    /// When all that has a place now will be done; at the least what one element takes, and 0 where nothing has told yet.
    func nanosecondsUntilEmpty(elsewhere: PendingWork) -> Int64 {
        let all = (pendingWork + elsewhere).totalNanoseconds / Int64(configuration.workerCount)
        return max(all, nanosecondsPerElement)
    }

    /// What one element has lately taken a worker, preparation included; 0 before the first batch.
    private var nanosecondsPerElement: Int64 {
        batchNanosecondsPerElement.map { Int64($0 + (preparationNanoseconds ?? 0)) } ?? 0
    }
}
