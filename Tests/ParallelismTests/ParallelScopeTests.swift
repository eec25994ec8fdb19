import Synchronization
import TestSupport
import Testing

@testable import Parallelism

struct ParallelScopeTests {
    @Test(arguments: [1, 2, 3, 8]) func runsEveryTaskOfManyRegionsOnce(workerCount: Int) {
        let seed = UInt64(4200 + workerCount)
        var random = SplitMix64(seed: seed)
        let pool = WorkerPool(workerCount: workerCount)
        for _ in 0..<50 {
            pool.withScope(maxWidth: .random(in: 1...9, using: &random)) { scope in
                for _ in 0..<40 {
                    checkRegion(of: .random(in: 0...300, using: &random), in: scope, seed: seed)
                }
            }
        }
        pool.shutdown()
    }

    @Test func helpersTakeTasksOfALoneCaller() {
        let pool = WorkerPool(workerCount: 2)
        pool.withScope { scope in
            // The worker may be on its way to the scope during the first regions, but not for ever.
            let slots = Lock(Set<Int>())
            for _ in 0..<1_000_000 where slots.withLock({ $0.count }) < 2 {
                scope.forEach(16) { _, slot in slots.withLock { _ = $0.insert(slot) } }
            }
            #expect(slots.withLock { $0.count } == 2)
        }
        pool.shutdown()
    }

    @Test func scopesAndJobsOnAllThreadsKeepTasksAndSlotsApart() {
        let seed: UInt64 = 77
        let pool = WorkerPool(workerCount: 3, jobCapacity: 1000)
        let seats = Seats(count: pool.slotCount)
        let finished = Counter()
        for job in 0..<200 {
            let isAccepted = pool.submit {
                var random = SplitMix64(seed: seed &+ UInt64(job))
                pool.withScope { scope in
                    for _ in 0..<20 {
                        checkRegion(of: .random(in: 0...40, using: &random), in: scope, seats: seats, seed: seed)
                    }
                }
                finished.increment()
            }
            #expect(isAccepted)
        }
        // Twice as many callers from outside as there are slots for them: the later ones wait.
        let outside = (0..<2 * WorkerPool.outsideSlotCount).map { caller in
            Thread(name: "outside-\(caller)") {
                var random = SplitMix64(seed: seed &+ 1000 &+ UInt64(caller))
                for _ in 0..<30 {
                    pool.withScope { scope in
                        for _ in 0..<5 {
                            checkRegion(of: .random(in: 0...40, using: &random), in: scope, seats: seats, seed: seed)
                        }
                    }
                }
                finished.increment()
            }
        }
        for thread in outside { thread.join() }
        pool.shutdown()
        #expect(finished.value == 200 + outside.count)
        #expect(seats.collisions.value == 0)
    }

    @Test func nobodyHelpsWhileJobsAreQueued() {
        let pool = WorkerPool(workerCount: 2)
        let (started, gate, ended) = (Meeting(of: 3), Gate(), Gate())
        for _ in 0..<2 {
            #expect(
                pool.submit {
                    started.attend()
                    gate.pass()
                })
        }
        started.attend()
        #expect(pool.submit { ended.open() })
        pool.withScope { scope in
            #expect(scope.width == 1)
            let slots = Lock(Set<Int>())
            scope.forEach(100) { _, slot in slots.withLock { _ = $0.insert(slot) } }
            #expect(slots.withLock { $0.count } == 1)
        }
        gate.open()
        ended.pass()
        pool.shutdown()
    }

    @Test func aScopeWithinAScopeKeepsTheCallersSlot() {
        let pool = WorkerPool(workerCount: 2)
        pool.withScope { outer in
            let slot = pool.currentSlot
            #expect(slot != nil)
            pool.withScope { inner in
                #expect(pool.currentSlot == slot)
                checkRegion(of: 50, in: inner, seed: 0)
            }
            checkRegion(of: 50, in: outer, seed: 0)
        }
        #expect(pool.currentSlot == nil)
        pool.shutdown()
    }

    @Test func poolsDoNotShareSlots() {
        let (first, second) = (WorkerPool(workerCount: 1), WorkerPool(workerCount: 2))
        first.withScope { _ in
            second.withScope { _ in
                #expect(first.currentSlot == 1)
                #expect(second.currentSlot == 2)
            }
        }
        first.shutdown()
        second.shutdown()
    }

    @Test func passesOnWhatTheBodyThrows() {
        struct Failure: Error {}
        let pool = WorkerPool(workerCount: 2)
        #expect(throws: Failure.self) { try pool.withScope { _ in throw Failure() } }
        pool.withScope { checkRegion(of: 10, in: $0, seed: 0) }
        pool.shutdown()
    }

    @Test func neverUsesMoreThreadsThanThePoolHas() {
        let pool = WorkerPool(workerCount: 1)
        pool.withScope { scope in
            #expect(scope.width == 1)
            scope.forEach(20) { _, slot in #expect(slot == 1) }
        }
        pool.shutdown()
    }
}

/// Holds the claim that each task runs once, into memory that is not otherwise protected.
private func checkRegion(of count: Int, in scope: ParallelScope, seats: Seats? = nil, seed: UInt64) {
    let runs = UnsafeMutableBufferPointer<Int>.allocate(capacity: count)
    runs.initialize(repeating: 0)
    defer { runs.deallocate() }
    scope.forEach(count) { task, slot in
        seats?.sit(on: slot)
        runs[task] += 1
        seats?.rise(from: slot)
    }
    #expect(runs.allSatisfy { $0 == 1 }, "\(count) tasks, seed \(seed)")
}

/// Sees whether two threads hold a slot at the same time.
private final class Seats: Sendable {
    private let taken: Lock<[Bool]>
    let collisions = Counter()

    init(count: Int) { taken = Lock(Array(repeating: false, count: count)) }

    func sit(on slot: Int) { taken.withLock { if exchange(&$0[slot], true) { collisions.increment() } } }
    func rise(from slot: Int) { taken.withLock { if !exchange(&$0[slot], false) { collisions.increment() } } }

    private func exchange(_ place: inout Bool, _ value: Bool) -> Bool {
        defer { place = value }
        return place
    }
}
