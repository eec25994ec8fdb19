import Synchronization

/// The process's compute threads: they run queued jobs and, when no job is queued, help whoever has opened a
/// `ParallelScope`.
///
/// One lone request so uses all cores; under load each worker runs a job of its own and waits for nobody.
///
/// Each thread that works with the pool has a *slot*, a number in `0..<slotCount` that no other thread has at the same
/// time: the index of its scratch memory. A worker's slot is its index.
///
/// Concurrency: every method may be called from any thread. The threads keep the pool alive until `shutdown()`.
public final class WorkerPool: Sendable {
    public typealias Job = @Sendable () -> Void

    /// How many threads the pool has.
    public let workerCount: Int

    let state: Lock<State>
    let workAvailable = Condition()
    let outsideSlotFreed = Condition()
    /// Mirrors of the locked state, for looks without the lock: they may be late, never wrong for long.
    let queuedJobs = Atomic(0)
    let parkedWorkers = Atomic(0)
    let unsignalledWorkers = Atomic(0)

    struct State {
        var jobs: BoundedQueue<Job>
        var openScopes: [ParallelScope] = []
        /// Workers that wait on `workAvailable`, and how many of them have been signalled and not yet run.
        var parked = 0
        var signalled = 0
        var isStopping = false
        var threads: [Thread] = []
        var freeOutsideSlots: [Int]
    }

    /// Starts `workerCount` threads, named `swiftlet-0`, `swiftlet-1`, ….
    ///
    /// - Precondition: both numbers are at least 1; the system grants the threads.
    public init(workerCount: Int = CoreCount.available(), jobCapacity: Int = 1024) {
        precondition(workerCount >= 1, "a pool of \(workerCount) workers")
        self.workerCount = workerCount
        state = Lock(
            State(
                jobs: BoundedQueue(capacity: jobCapacity),
                freeOutsideSlots: (0..<Self.outsideSlotCount).map { workerCount + $0 }.reversed()))
        let threads = (0..<workerCount).map { index in
            Thread(name: "swiftlet-\(index)") { [self] in run(worker: index) }
        }
        state.withLock { $0.threads = threads }
    }

    /// Puts a job at the end of the queue. Jobs start in the order of their submission.
    ///
    /// - Returns: false, and the job will not run, when the queue is full or the pool has been shut down.
    public func submit(_ job: @escaping Job) -> Bool {
        let (isAccepted, wakes) = state.withLock { state -> (Bool, Bool) in
            guard !state.isStopping, state.jobs.append(job) else { return (false, false) }
            queuedJobs.store(state.jobs.count, ordering: .relaxed)
            return (true, signalWorkers(upTo: 1, in: &state) == 1)
        }
        if wakes { workAvailable.signal() }
        return isAccepted
    }

    /// Refuses further jobs, lets the workers finish those that are queued, and joins the threads. Scopes still work
    /// afterwards, without help.
    ///
    /// - Precondition: not called by one of the pool's own workers.
    public func shutdown() {
        precondition((currentSlot ?? workerCount) >= workerCount, "a worker cannot wait for its own end")
        let threads = state.withLock { state in
            state.isStopping = true
            defer { state.threads = [] }
            return state.threads
        }
        workAvailable.broadcast()
        for thread in threads { thread.join() }
    }
}

// MARK: - Workers

extension WorkerPool {
    private enum Work {
        case job(Job)
        case help(ParallelScope)
        case stop
    }

    private func run(worker: Int) {
        withSeat(slot: worker) {
            while true {
                switch nextWork() {
                case .job(let job):
                    job()
                case .help(let scope):
                    let abandoned = scope.help(slot: worker)
                    state.withLock { _ in scope.leave(abandoning: abandoned) }
                case .stop:
                    return
                }
            }
        }
    }

    /// The oldest job; or else the open scope with the fewest helpers; or else parks.
    private func nextWork() -> Work {
        var wasParked = false
        return state.withLock(waitingOn: workAvailable) { state in
            if wasParked {
                wasParked = false
                state.parked -= 1
                state.signalled = max(0, state.signalled - 1)
                mirrorParking(of: state)
            }
            if let job = state.jobs.popFirst() {
                queuedJobs.store(state.jobs.count, ordering: .relaxed)
                return .job(job)
            }
            if state.isStopping { return .stop }
            // Parked before it looks for regions, as an owner publishes a region before it looks for parked workers:
            // one of the two always sees the other.
            state.parked += 1
            mirrorParking(of: state)
            let scopes = state.openScopes.lazy.filter(\.wantsHelper)
            if let scope = scopes.min(by: { $0.helperCount < $1.helperCount }) {
                scope.join()
                state.parked -= 1
                mirrorParking(of: state)
                return .help(scope)
            }
            wasParked = true
            return nil
        }
    }

    /// Marks up to `limit` parked workers as signalled. The caller then signals as many, after it has left the lock.
    func signalWorkers(upTo limit: Int, in state: inout State) -> Int {
        let count = max(0, min(limit, state.parked - state.signalled))
        if count > 0 {
            state.signalled += count
            mirrorParking(of: state)
        }
        return count
    }

    private func mirrorParking(of state: State) {
        parkedWorkers.store(state.parked, ordering: .relaxed)
        unsignalledWorkers.store(state.parked - state.signalled, ordering: .sequentiallyConsistent)
    }
}
