import Batching
import Parallelism

/// Hands jobs to the workers in the order of their urgency: the workers' own queue knows only who came first.
///
/// Each job brings the workers one turn, and whichever turn comes next takes the most urgent job.
///
/// Concurrency: every method may be called from any thread. No job is run with a lock held.
final class OrderedJobs: Sendable {
    typealias Job = @Sendable () -> Void

    private let pool: WorkerPool
    private let waiting = Lock(UrgencyQueue<Job>())

    init(pool: WorkerPool) { self.pool = pool }

    /// - Returns: false, and the job will not run, where the workers' queue is full or has been shut down.
    func submit(_ urgency: Urgency, _ job: @escaping Job) -> Bool {
        waiting.withLock { waiting in
            // Under the lock: a worker that is quick finds the job.
            guard pool.submit({ [self] in runNext() }) else { return false }
            waiting.insert(job, urgency)
            return true
        }
    }

    private func runNext() {
        guard let job = waiting.withLock({ $0.popFirst() }) else { preconditionFailure("more turns than jobs") }
        job()
    }
}
