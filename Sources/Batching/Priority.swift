import DequeModule
import Parallelism

/// How important a request is beside the others: 1 is the highest, 10 the lowest, 5 the usual.
///
/// A level is worth `stepNanoseconds` of waiting: work of a higher priority goes before what came up to so much earlier,
/// level by level, and not before what has waited longer. So nothing starves.
public struct Priority: Equatable, Sendable {
    public static let levels = 1...10
    public static let usual = Priority(level: 5)
    /// Units: nanoseconds.
    public static let stepNanoseconds: Int64 = 100_000_000

    public let level: Int

    private init(level: Int) { self.level = level }

    /// The priority that a request asks for: 0 is the usual one, what is beyond the lowest counts as the lowest.
    ///
    /// - Precondition: not negative.
    public init(requested: Int) {
        precondition(requested >= 0, "a priority of \(requested)")
        level = requested == 0 ? Self.usual.level : min(requested, Self.levels.upperBound)
    }

    /// Where work that comes at `arrival` stands in the order of work.
    public func urgency(arrival: Instant) -> Urgency {
        Urgency(due: arrival.advanced(byNanoseconds: Int64(level - 1) * Self.stepNanoseconds))
    }
}

/// A place in the order of work: the less, the earlier.
public struct Urgency: Comparable, Sendable {
    let due: Instant

    /// Before everything else: for work that takes no time.
    public static let first = Urgency(due: Instant(nanoseconds: .min))

    public static func < (left: Urgency, right: Urgency) -> Bool { left.due < right.due }
}

/// Elements in the order of their urgency; what is equally urgent leaves as it came.
public struct UrgencyQueue<Element> {
    private var entries: Deque<(urgency: Urgency, element: Element)> = []

    public init() {}

    public var count: Int { entries.count }
    public var isEmpty: Bool { entries.isEmpty }
    /// In order.
    public var elements: some Sequence<Element> { entries.lazy.map(\.element) }
    public var first: Element? { entries.first?.element }

    /// - Complexity: linear in how many are less urgent, which are none among equal priorities.
    public mutating func insert(_ element: Element, _ urgency: Urgency) {
        var index = entries.count
        while index > 0, entries[index - 1].urgency > urgency { index -= 1 }
        entries.insert((urgency, element), at: index)
    }

    public mutating func popFirst() -> Element? { entries.popFirst()?.element }

    /// Takes the most urgent `count` elements out.
    public mutating func removeFirst(_ count: Int) -> [Element] {
        var taken: [Element] = []
        taken.reserveCapacity(count)
        for _ in 0..<count { taken.append(entries.removeFirst().element) }
        return taken
    }

    /// Takes out what `isMeant` says, in order.
    ///
    /// - Complexity: linear in the queue.
    public mutating func removeAll(where isMeant: (Element) -> Bool) -> [Element] {
        let taken = entries.lazy.map(\.element).filter(isMeant)
        if !taken.isEmpty { entries.removeAll { isMeant($0.element) } }
        return Array(taken)
    }
}
