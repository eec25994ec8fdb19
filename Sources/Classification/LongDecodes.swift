import DequeModule
import Dispatch
import Parallelism

/// Sends decodes to the workers, but of long ones only so many at a time: the others wait without a worker, so that
/// short ones and batches go on beside them.
///
/// The line of those that wait is bounded by `capacity`. Who leaves it, by `removeAll` or because its deadline has
/// passed, leaves nothing behind in it.
///
/// Concurrency: every method may be called from any thread. No closure is called with a lock held.
final class LongDecodes: Sendable {
    typealias Work = @Sendable () -> Void

    /// Units: bytes. An image of this size takes as long to decode as several small ones to classify.
    static let leastBytes = 512 << 10

    /// What becomes of a decode.
    enum Turn {
        /// It is to be done now, on the calling worker.
        case hasCome
        /// There is no room for it.
        case isRefused
        /// Its deadline has passed in the line.
        case isTooLate
    }

    struct Decode: Sendable {
        /// The request that the image belongs to.
        var owner: ObjectIdentifier
        var deadline: Instant?
        /// Must not block but where the turn has come.
        var take: @Sendable (Turn) -> Void
    }

    private struct State {
        var running = 0
        var waiting: Deque<Decode> = []
        /// The next look at the deadlines.
        var armedWake: Instant?
    }

    /// How many run at a time: half of the workers, and one at least.
    let limit: Int
    /// How many may wait.
    let capacity: Int
    private let pool: WorkerPool
    private let clock: any Clock
    private let wakeAfter: @Sendable (_ nanoseconds: Int64, @escaping Work) -> Void
    private let state = Lock(State())

    /// - Parameter wakeAfter: calls its argument once, after so many nanoseconds, on any thread.
    init(
        pool: WorkerPool, capacity: Int, clock: any Clock,
        wakeAfter: @escaping @Sendable (_ nanoseconds: Int64, @escaping Work) -> Void = { nanoseconds, work in
            DispatchQueue.global().asyncAfter(
                deadline: .now() + .nanoseconds(Int(nanoseconds)), execute: DispatchWorkItem(block: work))
        }
    ) {
        self.pool = pool
        self.capacity = capacity
        self.clock = clock
        self.wakeAfter = wakeAfter
        limit = max(1, pool.workerCount / 2)
    }

    /// Long decodes that no worker has been asked for yet.
    var waitingCount: Int { state.withLock { $0.waiting.count } }

    private enum Entry {
        case starts, waits(wakeAt: Instant?), isRefused
    }

    /// Has an image of `byteCount` bytes decoded, after those submitted before where it is a long one. `decode.take` is called
    /// once, unless the decode is removed before.
    func submit(_ decode: Decode, byteCount: Int) {
        guard byteCount >= Self.leastBytes else {
            if !pool.submit({ decode.take(.hasCome) }) { decode.take(.isRefused) }
            return
        }
        let entry = state.withLock { state -> Entry in
            guard state.running >= limit else {
                state.running += 1
                return .starts
            }
            guard state.waiting.count < capacity else { return .isRefused }
            state.waiting.append(decode)
            return .waits(wakeAt: wakeTime(&state))
        }
        switch entry {
        case .starts: start(decode)
        case .waits(let wakeAt): arm(wakeAt)
        case .isRefused: decode.take(.isRefused)
        }
    }

    /// Takes all that belongs to `owner` out of the line; no closure of it will be called.
    ///
    /// - Complexity: linear in the line.
    func removeAll(of owner: ObjectIdentifier) { _ = take { $0.owner == owner } }

    private func start(_ decode: Decode) {
        var next: Decode? = decode
        while let decode = next {
            let isAccepted = pool.submit { [self] in
                decode.take(.hasCome)
                if let next = takeNext() { start(next) }
            }
            if isAccepted { return }
            decode.take(.isRefused)
            next = takeNext()
        }
    }

    /// A long decode has ended: the one that waits longest takes its turn.
    private func takeNext() -> Decode? {
        state.withLock { state in
            guard let next = state.waiting.popFirst() else {
                state.running -= 1
                return nil
            }
            return next
        }
    }

    /// What is taken out is let go by the caller, outside the lock.
    private func take(where isMeant: (Decode) -> Bool) -> [Decode] {
        state.withLock { state in
            let taken = state.waiting.filter(isMeant)
            guard !taken.isEmpty else { return [] }
            state.waiting.removeAll(where: isMeant)
            return Array(taken)
        }
    }
}

// MARK: - Deadlines

extension LongDecodes {
    /// When to look at the deadlines, where no look so early is due yet.
    private func wakeTime(_ state: inout State) -> Instant? {
        guard let earliest = state.waiting.lazy.compactMap(\.deadline).min() else { return nil }
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
