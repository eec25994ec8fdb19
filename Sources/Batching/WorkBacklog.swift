import Parallelism

/// The work that lies before the workers which several batchers share.
///
/// Concurrency: every method may be called from any thread.
public final class WorkBacklog: Sendable {
    private let work = Lock(PendingWork())

    public init() {}

    /// All batchers' work.
    var total: PendingWork { work.withLock { $0 } }

    /// One batcher's work has changed.
    func replace(_ old: PendingWork, by new: PendingWork) {
        if old != new { work.withLock { $0 = $0 - old + new } }
    }
}

/// Unfinished elements and how long they will keep one worker, by priority.
struct PendingWork: Equatable, Sendable {
    /// A lane for each level, the highest first. Units: nanoseconds.
    private var nanoseconds = SIMD16<Int64>.zero
    /// Elements.
    private(set) var count = 0

    init() {}

    /// - Parameter counts: a lane for each level.
    mutating func add(_ counts: SIMD16<Int64>, nanosecondsEach: Int64) {
        nanoseconds &+= counts &* nanosecondsEach
        count += Int(counts.wrappedSum())
    }

    /// What is to be done for elements after their batches. Where they are more than those that were added before, the
    /// others have been through theirs.
    ///
    /// - Parameter counts: follow-ups, a lane for each level.
    mutating func addFollowUps(_ counts: SIMD16<Int64>, nanosecondsEach: Int64, ofElements elements: Int) {
        nanoseconds &+= counts &* nanosecondsEach
        count = max(count, elements)
    }

    /// What goes before work of that priority: that of the same or a higher one.
    func nanoseconds(before priority: Priority) -> Int64 {
        (0..<priority.level).reduce(0) { $0 + nanoseconds[$1] }
    }

    var totalNanoseconds: Int64 { nanoseconds.wrappedSum() }

    static func + (left: PendingWork, right: PendingWork) -> PendingWork {
        var sum = left
        sum.nanoseconds &+= right.nanoseconds
        sum.count += right.count
        return sum
    }

    static func - (left: PendingWork, right: PendingWork) -> PendingWork {
        var difference = left
        difference.nanoseconds &-= right.nanoseconds
        difference.count -= right.count
        return difference
    }
}
