import Batching
import Parallelism
import TestSupport
import Testing

@testable import Classification

struct OrderedJobsTests {
    @Test func theMostUrgentTakesTheNextTurn() {
        let pool = WorkerPool(workerCount: 1)
        let jobs = OrderedJobs(pool: pool)
        let gate = Signal<Void>()
        let order = Lock<[String]>([])
        let isAccepted = pool.submit { _ = gate.wait() }
        #expect(isAccepted)
        let arrivals = [("low", 10), ("usual", 0), ("usual too", 5), ("high", 1), ("a bit high", 4), ("high too", 1)]
        for (index, (name, priority)) in arrivals.enumerated() {
            let urgency = Priority(requested: priority).urgency(arrival: Instant(nanoseconds: Int64(index)))
            let isAccepted = jobs.submit(urgency) { order.withLock { $0.append(name) } }
            #expect(isAccepted)
        }
        let isFirstAccepted = jobs.submit(.first) { order.withLock { $0.append("first") } }
        #expect(isFirstAccepted)
        gate.send(())
        pool.shutdown()
        #expect(
            order.withLock { $0 } == ["first", "high", "high too", "a bit high", "usual", "usual too", "low"])
        let isLate = jobs.submit(.first) { Issue.record("a job ran after the end") }
        #expect(!isLate)
    }

    @Test func aFullQueueRefusesTheJobAndKeepsTheOthers() {
        let pool = WorkerPool(workerCount: 1, jobCapacity: 2)
        let jobs = OrderedJobs(pool: pool)
        let (gate, started, done) = (Signal<Void>(), Signal<Void>(), Lock(0))
        let isRunning = pool.submit {
            started.send(())
            _ = gate.wait()
        }
        #expect(isRunning && started.wait() != nil)
        let answers = (0..<4).map { _ in jobs.submit(.first) { done.withLock { $0 += 1 } } }
        #expect(answers == [true, true, false, false])
        gate.send(())
        pool.shutdown()
        #expect(done.withLock { $0 } == 2)
    }
}
