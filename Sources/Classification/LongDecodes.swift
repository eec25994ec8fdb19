import Batching
import Dispatch
import Parallelism

/// Sends decodes, and what takes large bodies apart, to the workers, the most urgent first, but of long ones only so many at a time: the others wait without
/// a worker, so that short ones and batches go on beside them.
///
/// The line of those that wait is bounded by `capacity`, and in time. Who leaves it, by `removeAll` or because its deadline has
/// passed, leaves nothing behind in it.
///
/// Concurrency: every method may be called from any thread. No closure is called with a lock held.
final class LongDecodes: Sendable {
    typealias Work = @Sendable () -> Void

    /// Units: as `ImageDecoder.cost`. An image of this cost takes as long to decode as several small ones to classify.
    static let leastCost = 512 << 10

    /// What becomes of a decode.
    enum Turn: Equatable {
        /// It is to be done now, on the calling worker.
        case hasCome
        /// There is no room for it, or no time.
        case isRefused(ReservationRefusal)

        /// Until there is room again nobody can tell.
        static let hasNoRoom = isRefused(.queueFull(retryAfterNanoseconds: 1_000_000_000))
        /// Its deadline has passed in the line.
        case isTooLate
    }

    struct Decode: Sendable {
        /// The request that the image belongs to.
        var owner: ObjectIdentifier
        var deadline: Instant?
        var urgency: Urgency
        /// Must not block but where the turn has come.
        var take: @Sendable (Turn) -> Void
    }

    private struct State {
        var running = 0
        /// What a long one has lately taken, as a moving average; 0 before the first.
        var averageNanoseconds: Double = 0
        var waiting = UrgencyQueue<Decode>()
        /// The next look at the deadlines.
        var armedWake: Instant?
    }

    /// How many run at a time: half of the workers, and one at least.
    let limit: Int
    /// How many may wait.
    let capacity: Int
    /// How long others' work before it may be predicted to take for one that joins the line.
    private let maxWaitNanoseconds: Int64
    private let jobs: OrderedJobs
    private let clock: any Clock
    private let wakeAfter: @Sendable (_ nanoseconds: Int64, @escaping Work) -> Void
    private let state = Lock(State())

    /// - Parameter wakeAfter: calls its argument once, after so many nanoseconds, on any thread.
    init(
        jobs: OrderedJobs, workerCount: Int, capacity: Int, maxWaitNanoseconds: Int64 = .max, clock: any Clock,
        wakeAfter: @escaping @Sendable (_ nanoseconds: Int64, @escaping Work) -> Void = { nanoseconds, work in
            DispatchQueue.global().asyncAfter(
                deadline: .now() + .nanoseconds(Int(nanoseconds)), execute: DispatchWorkItem(block: work))
        }
    ) {
        self.jobs = jobs
        self.capacity = capacity
        self.maxWaitNanoseconds = maxWaitNanoseconds
        self.clock = clock
        self.wakeAfter = wakeAfter
        limit = max(1, workerCount / 2)
    }

    /// Long decodes that no worker has been asked for yet.
    var waitingCount: Int { state.withLock { $0.waiting.count } }

    /// Long decodes that a worker has, or has been asked for.
    var runningCount: Int { state.withLock { $0.running } }

    private enum Entry {
        case starts, waits(wakeAt: Instant?), isRefused(Turn)
    }

    /// Has an image of this cost decoded, after those submitted before where it is a long one. `decode.take` is called
    /// once, unless the decode is removed before.
    func submit(_ decode: Decode, cost: Int) {
        guard cost >= Self.leastCost else {
            if !jobs.submit(decode.urgency, { decode.take(.hasCome) }) { decode.take(.hasNoRoom) }
            return
        }
        let entry = state.withLock { state -> Entry in
            guard state.running >= limit else {
                state.running += 1
                return .starts
            }
            guard state.waiting.count < capacity else { return .isRefused(.hasNoRoom) }
            if let nanoseconds = excessiveWait(of: decode, state) {
                return .isRefused(
                    .isRefused(.waitTooLong(nanoseconds: nanoseconds, retryAfterNanoseconds: nanoseconds)))
            }
            state.waiting.insert(decode, decode.urgency)
            return .waits(wakeAt: wakeTime(&state))
        }
        switch entry {
        case .starts: start(decode)
        case .waits(let wakeAt): arm(wakeAt)
        case .isRefused(let turn): decode.take(turn)
        }
    }

    /// How long one more would wait where that is too long. A request's own work does not count, so that large requests are
    /// welcome, and one for each worker of the line may always wait.
    private func excessiveWait(of decode: Decode, _ state: State) -> Int64? {
        let others = state.waiting.elements.count { $0.owner != decode.owner }
        let wait = Double(others + state.running) * state.averageNanoseconds / Double(limit)
        return others < limit || wait <= Double(maxWaitNanoseconds) ? nil : Int64(wait)
    }

    /// Takes all that belongs to `owner` out of the line; no closure of it will be called.
    ///
    /// - Complexity: linear in the line.
    func removeAll(of owner: ObjectIdentifier) { _ = take { $0.owner == owner } }

    private func start(_ decode: Decode) {
        var next: Decode? = decode
        while let decode = next {
            let isAccepted = jobs.submit(decode.urgency) { [self] in
                let begun = clock.now()
                decode.take(.hasCome)
                if let next = takeNext(after: clock.now().nanoseconds(since: begun)) { start(next) }
            }
            if isAccepted { return }
            decode.take(.hasNoRoom)
            next = takeNext(after: nil)
        }
    }

    /// A long decode has ended: the most urgent one that waits takes its turn.
    private func takeNext(after nanoseconds: Int64?) -> Decode? {
        state.withLock { state in
            if let nanoseconds = nanoseconds.map(Double.init) {
                let average = state.averageNanoseconds
                state.averageNanoseconds = average == 0 ? nanoseconds : average + (nanoseconds - average) / 4
            }
            guard let next = state.waiting.popFirst() else {
                state.running -= 1
                return nil
            }
            return next
        }
    }

    /// What is taken out is let go by the caller, outside the lock.
    private func take(where isMeant: (Decode) -> Bool) -> [Decode] {
        state.withLock { $0.waiting.removeAll(where: isMeant) }
    }
}

// MARK: - Deadlines

extension LongDecodes {
    /// When to look at the deadlines, where no look so early is due yet.
    private func wakeTime(_ state: inout State) -> Instant? {
        guard let earliest = state.waiting.elements.lazy.compactMap(\.deadline).min() else { return nil }
        if let armed = state.armedWake, armed <= earliest { return nil }
        state.armedWake = earliest
        return earliest
    }

    private func arm(_ wakeAt: Instant?) {
        guard let wakeAt else { return }
        // A deadline holds up to its last nanosecond.
        wakeAfter(max(0, wakeAt.nanoseconds(since: clock.now())) + 1) { [weak self] in self?.alarmFired(wakeAt) }
    }

    /// It may be early, late, or no longer of interest.
    private func alarmFired(_ wakeAt: Instant) {
        let now = clock.now()
        let expired = take { $0.deadline.map { $0 < now } ?? false }
        let next = state.withLock { state in
            if state.armedWake == wakeAt { state.armedWake = nil }
            return wakeTime(&state)
        }
        arm(next)
        for decode in expired { decode.take(.isTooLate) }
    }
}
