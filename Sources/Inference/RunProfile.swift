import Parallelism

/// Where the time of runs goes, block by block and part by part. Given to `Session.run`, which adds to it.
///
/// Concurrency: a row of `partNanoseconds` belongs to the thread in that slot; the rest to the thread that runs the
/// session. Read it when no run is under way.
public final class RunProfile: @unchecked Sendable {
    /// What a block does. A block's parts are summed over the threads.
    public enum Part: Int, CaseIterable, Sendable {
        /// Normalising or transposing the image.
        case image
        /// The dense convolution at a block's beginning; of the head, its convolution.
        case front
        case depthwise
        /// Averages, squeeze-and-excite, and the gate's products.
        case squeeze
        case projection
        case classifier
    }

    public let plan: Plan
    /// Of each of `plan.blocks`: from its begin to its end, on the clock on the wall.
    public private(set) var wallNanoseconds: [Int64]
    private let slotCount: Int
    private var partNanoseconds: UnsafeMutablePointer<Int64>
    private var block = 0
    private let clock = MonotonicClock()

    /// - Parameter slotCount: of the pool whose scopes the sessions run in.
    public init(plan: Plan, slotCount: Int) {
        self.plan = plan
        self.slotCount = slotCount
        let blocks = plan.blocks.count
        wallNanoseconds = [Int64](repeating: 0, count: blocks)
        partNanoseconds = .allocate(capacity: slotCount * blocks * Part.allCases.count)
        partNanoseconds.initialize(repeating: 0, count: slotCount * blocks * Part.allCases.count)
    }

    deinit { partNanoseconds.deallocate() }

    /// Of block `block`, over all threads.
    public func nanoseconds(of part: Part, block: Int) -> Int64 {
        (0..<slotCount).map { partNanoseconds[place(block, part, slot: $0)] }.reduce(0, +)
    }

    private func place(_ block: Int, _ part: Part, slot: Int) -> Int {
        (slot * wallNanoseconds.count + block) * Part.allCases.count + part.rawValue
    }

    func measureBlock(_ index: Int, _ body: () -> Void) {
        block = index
        let start = clock.now()
        body()
        wallNanoseconds[index] += clock.now().nanoseconds(since: start)
    }

    func measure(_ part: Part, slot: Int, _ body: () -> Void) {
        let start = clock.now()
        body()
        partNanoseconds[place(block, part, slot: slot)] += clock.now().nanoseconds(since: start)
    }
}

extension Execution {
    /// Runs `body`, and times it where the run is profiled.
    @inline(__always)
    func timed(_ part: RunProfile.Part, slot: Int, _ body: () -> Void) {
        if let profile { profile.measure(part, slot: slot, body) } else { body() }
    }

    /// Runs `body`, and times it as block `index` of `plan.blocks` where the run is profiled.
    @inline(__always)
    func timedBlock(_ index: Int, _ body: () -> Void) {
        if let profile { profile.measureBlock(index, body) } else { body() }
    }
}
