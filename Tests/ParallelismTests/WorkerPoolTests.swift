import Synchronization
import TestSupport
import Testing

@testable import Parallelism

struct WorkerPoolTests {
    @Test func runsEverySubmittedJobOnce() {
        let pool = WorkerPool(workerCount: 3, jobCapacity: 5000)
        let runs = Lock([Int](repeating: 0, count: 5000))
        for job in 0..<5000 { #expect(pool.submit { runs.withLock { $0[job] += 1 } }) }
        pool.shutdown()
        #expect(runs.withLock { $0.allSatisfy { $0 == 1 } })
    }

    @Test func oneWorkerRunsJobsInTheOrderOfSubmission() {
        let pool = WorkerPool(workerCount: 1)
        let order = Lock([Int]())
        for job in 0..<100 { #expect(pool.submit { order.withLock { $0.append(job) } }) }
        pool.shutdown()
        #expect(order.withLock { $0 } == Array(0..<100))
    }

    @Test func refusesAJobWhenTheQueueIsFull() {
        let pool = WorkerPool(workerCount: 1, jobCapacity: 2)
        let (started, gate) = (Gate(), Gate())
        let runs = Atomic(0)
        #expect(
            pool.submit {
                started.open()
                gate.pass()
            })
        started.pass()
        #expect(pool.submit { gate.pass() })
        #expect(pool.submit { gate.pass() })
        #expect(!pool.submit { runs.add(1, ordering: .relaxed) })
        gate.open()
        pool.shutdown()
        #expect(runs.load(ordering: .relaxed) == 0)
    }

    @Test func shutdownFinishesQueuedJobsAndRefusesLaterOnes() {
        let pool = WorkerPool(workerCount: 2)
        let runs = Counter()
        for _ in 0..<50 { #expect(pool.submit { runs.increment() }) }
        pool.shutdown()
        #expect(runs.value == 50)
        #expect(!pool.submit { runs.increment() })
        pool.shutdown()
        let tasks = Counter()
        pool.withScope { $0.forEach(10) { _, _ in tasks.increment() } }
        #expect(tasks.value == 10)
        #expect(runs.value == 50)
    }

    @Test func isFreedAfterShutdown() {
        weak var pool: WorkerPool?
        do {
            let owned = WorkerPool(workerCount: 2)
            pool = owned
            owned.withScope { $0.forEach(8) { _, _ in } }
            owned.shutdown()
        }
        #expect(pool == nil)
    }

    @Test func workersBearTheirNamesAndSlots() {
        let pool = WorkerPool(workerCount: 2)
        let seen = Lock([(name: String?, slot: Int?)]())
        let both = Meeting(of: 2)
        for _ in 0..<2 {
            #expect(
                pool.submit {
                    both.attend()
                    let name = SystemFile.text(at: "/proc/thread-self/comm")
                    seen.withLock { $0.append((name, pool.currentSlot)) }
                })
        }
        #expect(pool.currentSlot == nil)
        pool.shutdown()
        let workers = seen.withLock { $0.sorted { $0.slot! < $1.slot! } }
        #expect(workers.map(\.slot) == [0, 1])
        #expect(workers.map(\.name) == ["swiftlet-0\n", "swiftlet-1\n"])
    }
}

/// A count that threads share.
final class Counter: Sendable {
    private let count = Atomic(0)
    var value: Int { count.load(ordering: .acquiring) }
    func increment() { count.add(1, ordering: .releasing) }
}

/// Holds threads until it is opened.
final class Gate: Sendable {
    private let isOpen = Lock(false)
    private let opened = Condition()

    func open() {
        isOpen.withLock { $0 = true }
        opened.broadcast()
    }

    func pass() { isOpen.withLock(waitingOn: opened) { $0 ? () : nil } }
}

/// Holds threads until all expected ones are there.
final class Meeting: Sendable {
    private let missing: Lock<Int>
    private let complete = Condition()

    init(of count: Int) { missing = Lock(count) }

    func attend() {
        missing.withLock { $0 -= 1 }
        complete.broadcast()
        missing.withLock(waitingOn: complete) { $0 <= 0 ? () : nil }
    }
}
