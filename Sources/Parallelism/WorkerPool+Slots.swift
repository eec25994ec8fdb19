#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

extension WorkerPool {
    /// How many threads from outside may work with the pool at the same time.
    public static var outsideSlotCount: Int { 4 }

    /// The workers, and the callers from outside.
    public var slotCount: Int { workerCount + Self.outsideSlotCount }

    /// The slot that the calling thread holds; nil outside of the pool's workers and scopes.
    public var currentSlot: Int? {
        var seat = Seat.current
        while let candidate = seat {
            if candidate.pool === self { return candidate.slot }
            seat = candidate.previous
        }
        return nil
    }

    /// Runs `body` with the calling thread's slot: its own where it has one, or else one of those for callers from
    /// outside. Where all of these are taken, it waits until one of their scopes closes.
    func withSlot<Result>(_ body: (Int) throws -> Result) rethrows -> Result {
        if let slot = currentSlot { return try body(slot) }
        let slot = state.withLock(waitingOn: outsideSlotFreed) { $0.freeOutsideSlots.popLast() }
        defer {
            state.withLock { $0.freeOutsideSlots.append(slot) }
            outsideSlotFreed.signal()
        }
        return try withSeat(slot: slot) { try body(slot) }
    }

    /// Runs `body` with `slot` as the calling thread's.
    func withSeat<Result>(slot: Int, _ body: () throws -> Result) rethrows -> Result {
        let seat = Seat(pool: self, slot: slot, previous: Seat.current)
        Seat.current = seat
        return try withExtendedLifetime(seat) {
            defer { Seat.current = seat.previous }
            return try body()
        }
    }
}

/// The current thread's place in a pool. A thread that uses several pools at once has a chain of them.
private final class Seat {
    let pool: WorkerPool
    let slot: Int
    let previous: Seat?

    init(pool: WorkerPool, slot: Int, previous: Seat?) {
        self.pool = pool
        self.slot = slot
        self.previous = previous
    }

    private static let key: pthread_key_t = {
        var key = pthread_key_t()
        let status = pthread_key_create(&key, nil)
        precondition(status == 0, "pthread_key_create failed: \(status)")
        return key
    }()

    /// The innermost seat. The thread's value does not own it: `withSeat` keeps it alive while it is set.
    static var current: Seat? {
        get { pthread_getspecific(key).map { Unmanaged<Seat>.fromOpaque($0).takeUnretainedValue() } }
        set { pthread_setspecific(key, newValue.map { UnsafeRawPointer(Unmanaged.passUnretained($0).toOpaque()) }) }
    }
}
