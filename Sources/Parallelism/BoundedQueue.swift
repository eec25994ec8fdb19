/// A first-in, first-out queue with a fixed number of places. All of its memory is taken at the start.
public struct BoundedQueue<Element> {
    private var places: [Element?]
    private var head = 0

    /// How many elements are queued.
    public private(set) var count = 0

    /// How many elements there is place for.
    public var capacity: Int { places.count }

    public var isEmpty: Bool { count == 0 }

    /// - Precondition: `capacity` is at least 1.
    public init(capacity: Int) {
        precondition(capacity >= 1, "a queue with \(capacity) places")
        places = Array(repeating: nil, count: capacity)
    }

    /// Puts an element at the end.
    ///
    /// - Returns: false, with nothing changed, when the queue is full.
    public mutating func append(_ element: consuming Element) -> Bool {
        guard count < places.count else { return false }
        var index = head + count
        if index >= places.count { index -= places.count }
        places[index] = element
        count += 1
        return true
    }

    /// Takes the oldest element; nil when there is none.
    public mutating func popFirst() -> Element? {
        guard count > 0 else { return nil }
        let element = places[head].take()
        head += 1
        if head == places.count { head = 0 }
        count -= 1
        return element
    }
}
