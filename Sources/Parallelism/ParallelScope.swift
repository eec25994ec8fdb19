import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A stretch of work in which one thread, the owner, runs parallel regions one after the other, and workers of the
/// pool that have nothing else to do take part. Opened by `WorkerPool.withScope`.
///
/// A helper comes only while no job is queued, leaves when one is, and spins between two regions, so that handing over
/// the next one costs a cache miss and not a system call. The owner waits for tasks that a helper has taken and for
/// nothing else: a helper that comes late or not at all holds up nobody.
///
/// Concurrency: `forEach` belongs to the thread that opened the scope. The pool's lock protects `abandonedTicket`.
public final class ParallelScope: @unchecked Sendable {
    // The unchecked fields are the region's. The owner writes them while no task is open and publishes them with
    // `ticket`; a helper reads them only after it has taken a task out of that ticket, and the owner waits for that
    // task before it writes them again or lets `forEach` return.
    private var body: UnsafeRawPointer?
    private var count = 0
    private var isInRegion = false

    /// The region's number in the high bits and its tasks not yet taken in the low 21. A task is taken by exchanging
    /// the whole for itself minus one, which fails for a ticket of an earlier region: none is ever taken twice or late.
    private let ticket = Atomic<UInt64>(0)
    /// Tasks of the current region that helpers have finished.
    private let helped = Atomic(0)
    private let helpers = Atomic(0)

    private let pool: WorkerPool
    /// The owner's.
    public let slot: Int
    private let maxHelpers: Int
    private var abandonedTicket = UInt64.max

    /// The largest `count` of a region.
    public static var maxTaskCount: Int { 1 << 20 }

    private static let remainingMask: UInt64 = (1 << 21) - 1
    /// No tasks, and a region number that is never reached.
    private static let closedTicket = ~remainingMask
    /// Longer than the serial stretches between an engine's regions, and short against the time of a request.
    private static let helperSpinNanoseconds: Int64 = 100_000
    /// How long the owner spins for a helper's last task before it offers its core to whoever has been preempted.
    private static let ownerSpinNanoseconds: Int64 = 50_000

    fileprivate typealias Body = (_ task: Int, _ slot: Int) -> Void

    fileprivate init(pool: WorkerPool, slot: Int, maxWidth: Int) {
        self.pool = pool
        self.slot = slot
        // With the owner no more than the pool's threads, or else a caller from outside would oversubscribe the cores.
        maxHelpers = max(0, min(maxWidth, pool.workerCount) - 1)
    }

    /// How many threads may take part right now, the owner included: a hint for how many tasks to cut.
    public var width: Int {
        guard maxHelpers > 0 else { return 1 }
        let idle = pool.queuedJobs.load(ordering: .relaxed) == 0 ? pool.parkedWorkers.load(ordering: .relaxed) : 0
        return 1 + min(maxHelpers, helperCount + idle)
    }

    /// How many pieces of at most `size` units `count` units are cut into, so that every thread that may take part gets
    /// as many.
    public func pieces(of count: Int, atMost size: Int) -> Int {
        let (least, width) = ((count + size - 1) / size, width)
        return max(1, min(count, (least + width - 1) / width * width))
    }

    /// Runs `body(task, slot)` once for every task in `0..<count`, on the calling thread and on helpers, and returns
    /// when all are done. `slot` is the executing thread's. What the tasks wrote is visible to the caller.
    ///
    /// - Precondition: `count` is in `0...maxTaskCount`; the scope is open, and the caller not inside one of its tasks.
    public func forEach(_ count: Int, _ body: (_ task: Int, _ slot: Int) -> Void) {
        precondition(count >= 0 && count <= Self.maxTaskCount, "a region of \(count) tasks")
        precondition(!isInRegion, "a region inside a region of the same scope")
        precondition(ticket.load(ordering: .relaxed) != Self.closedTicket, "a region in a closed scope")
        isInRegion = true
        defer { isInRegion = false }
        guard count > 1, width > 1 else {
            for task in 0..<count { body(task, slot) }
            return
        }
        // The closure does not escape: it is reached through `self.body` alone, and only between taking a task and
        // counting it as done, which the owner waits for. `run` keeps every reference to it within that time.
        withoutActuallyEscaping(body) { body in
            withUnsafePointer(to: body) { runRegion(count, UnsafeRawPointer($0)) }
        }
    }

    private func runRegion(_ count: Int, _ body: UnsafeRawPointer) {
        self.body = body
        self.count = count
        helped.store(0, ordering: .relaxed)
        let region = (ticket.load(ordering: .relaxed) & ~Self.remainingMask) + Self.remainingMask + 1
        ticket.store(region | UInt64(count), ordering: .sequentiallyConsistent)
        pool.wakeHelpers(upTo: min(count - 1, maxHelpers) - helperCount)

        var ownTasks = 0
        while takeAndRun(slot: slot) { ownTasks += 1 }
        var wait = SpinWait()
        while helped.load(ordering: .acquiring) != count - ownTasks {
            if !wait.spin(forAtMostNanoseconds: Self.ownerSpinNanoseconds) { sched_yield() }
        }
        self.body = nil
    }

    /// Takes a task of the current region, if one is left, and runs it.
    private func takeAndRun(slot: Int) -> Bool {
        var current = ticket.load(ordering: .relaxed)
        while current & Self.remainingMask != 0 {
            let (isTaken, found) = ticket.weakCompareExchange(
                expected: current, desired: current - 1, successOrdering: .acquiring, failureOrdering: .relaxed)
            if isTaken {
                run(task: count - Int(current & Self.remainingMask), slot: slot)
                return true
            }
            current = found
        }
        return false
    }

    /// Not inlined, so that the closure's reference is given back before the task counts as done.
    @inline(never)
    private func run(task: Int, slot: Int) {
        body!.assumingMemoryBound(to: Body.self).pointee(task, slot)
    }

    fileprivate func close() { ticket.store(Self.closedTicket, ordering: .releasing) }
}

// MARK: - Helpers

extension ParallelScope {
    /// How many workers have joined.
    var helperCount: Int { helpers.load(ordering: .relaxed) }

    /// Whether a worker should join: there is place for one, and there are tasks, or may soon be. After a helper has
    /// waited for a region in vain, only the next region makes the scope worth joining again.
    ///
    /// Concurrency: under the pool's lock.
    var wantsHelper: Bool {
        let current = ticket.load(ordering: .sequentiallyConsistent)
        return helperCount < maxHelpers && current != abandonedTicket
    }

    /// Concurrency: under the pool's lock.
    func join() { helpers.add(1, ordering: .relaxed) }

    /// Concurrency: under the pool's lock.
    func leave(abandoning ticket: UInt64?) {
        helpers.subtract(1, ordering: .relaxed)
        if let ticket { abandonedTicket = ticket }
    }

    /// Runs tasks until the scope is closed, a job is queued, or no region has come for a while.
    ///
    /// - Returns: in the last case, the ticket that was waited on in vain.
    func help(slot: Int) -> UInt64? {
        var wait = SpinWait()
        while pool.queuedJobs.load(ordering: .relaxed) == 0 {
            if takeAndRun(slot: slot) {
                helped.add(1, ordering: .releasing)
                wait.reset()
                continue
            }
            let current = ticket.load(ordering: .relaxed)
            if current == Self.closedTicket { return nil }
            if !wait.spin(forAtMostNanoseconds: Self.helperSpinNanoseconds), current & Self.remainingMask == 0 {
                return current
            }
        }
        return nil
    }
}

extension WorkerPool {
    /// Opens a scope for the duration of `body`; idle workers come to help in it, up to `maxWidth` threads with the
    /// caller and never more than `workerCount`.
    ///
    /// A caller that is not one of the workers takes one of `outsideSlotCount` slots, and waits where none is free.
    public func withScope<Result>(
        maxWidth: Int = .max, _ body: (ParallelScope) throws -> Result
    ) rethrows -> Result {
        try withSlot { slot in
            let scope = ParallelScope(pool: self, slot: slot, maxWidth: maxWidth)
            let helpersWanted = min(maxWidth, workerCount) - 1
            guard helpersWanted > 0 else {
                defer { scope.close() }
                return try body(scope)
            }
            state.withLock { $0.openScopes.append(scope) }
            wakeHelpers(upTo: helpersWanted)
            defer {
                scope.close()
                state.withLock { state in state.openScopes.removeAll { $0 === scope } }
            }
            return try body(scope)
        }
    }

    /// Wakes up to `limit` parked workers to look for a scope, unless there are jobs for them to do.
    fileprivate func wakeHelpers(upTo limit: Int) {
        guard limit > 0, unsignalledWorkers.load(ordering: .sequentiallyConsistent) > 0,
            queuedJobs.load(ordering: .relaxed) == 0
        else { return }
        let count = state.withLock { signalWorkers(upTo: limit, in: &$0) }
        for _ in 0..<count { workAvailable.signal() }
    }
}
