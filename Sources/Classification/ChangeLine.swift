import DequeModule

/// A change of what is loaded that somebody asks for.
enum ModelChange: Equatable, Sendable {
    /// All models, as they lie in the repository now.
    case reload
    /// A look for what has changed.
    case look
    case load(String)
    case unload(String)

    /// Whether the order of the two matters.
    fileprivate func concernsSame(as other: ModelChange) -> Bool {
        switch (self, other) {
        case (.load(let name), .load(let other)), (.load(let name), .unload(let other)),
            (.unload(let name), .load(let other)), (.unload(let name), .unload(let other)):
            name == other
        default: true
        }
    }
}

/// The changes that wait for their turn. Who asks for one that waits already, with nothing between them that it depends
/// on, waits with the first; one that has begun may have missed what the second is about, and does not count.
struct ChangeLine<Waiter> {
    private var waiting: Deque<(change: ModelChange, waiters: [Waiter])> = []
    private(set) var isClosed = false
    private let capacity: Int

    enum Entry: Equatable {
        /// It has a turn of its own.
        case begins
        /// It shares one.
        case joins
        case isRefused
    }

    init(capacity: Int) { self.capacity = capacity }

    mutating func append(_ change: ModelChange, _ waiter: Waiter) -> Entry {
        guard !isClosed else { return .isRefused }
        if let index = waiting.lastIndex(where: { $0.change.concernsSame(as: change) }), waiting[index].change == change
        {
            waiting[index].waiters.append(waiter)
            return .joins
        }
        guard waiting.count < capacity else { return .isRefused }
        waiting.append((change, [waiter]))
        return .begins
    }

    mutating func popFirst() -> (change: ModelChange, waiters: [Waiter])? { waiting.popFirst() }

    /// Takes no more changes.
    ///
    /// - Returns: who waited for those that had not begun.
    mutating func close() -> [Waiter] {
        isClosed = true
        defer { waiting = [] }
        return waiting.flatMap(\.waiters)
    }
}
