import EfficientNet
import Inference
import Kernels
import Parallelism
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Runs a plan over and over, in one or several sessions side by side.
struct EngineBenchmark {
    let plan: Plan
    /// Images.
    let batch: Int
    let threads: Int
    /// Sessions that share the threads; not more than these.
    let workers: Int

    struct Measurement: Sendable {
        /// Of each batch, the shortest first.
        var sortedSeconds: [Double]
        /// Of all workers together.
        var batchesPerSecond: Double
        /// What the threads' multiply-add units do at once, two operations for each.
        var peakOperationsPerSecond: Double

        var mean: Double { sortedSeconds.reduce(0, +) / Double(sortedSeconds.count) }

        /// The nearest rank: the shortest time that a share of `p` of the batches did not exceed.
        func quantile(_ p: Double) -> Double {
            let rank = Int((p * Double(sortedSeconds.count)).rounded(.up))
            return sortedSeconds[max(0, min(sortedSeconds.count, rank) - 1)]
        }
    }

    /// A worker measures no fewer batches than this, however long they take.
    private static let leastBatches = 3
    static let warmUpShare = 0.2

    /// Measures for `seconds`, after a warm-up.
    func run(seconds: Double) -> Measurement {
        let pool = WorkerPool(workerCount: threads)
        defer { pool.shutdown() }
        let before = peakOperationsPerSecond(on: pool)
        let (times, rate) = measure(seconds: seconds, on: pool)
        // The clock may have gone up or down in between.
        let peak = max(before, peakOperationsPerSecond(on: pool))
        return Measurement(sortedSeconds: times.sorted(), batchesPerSecond: rate, peakOperationsPerSecond: peak)
    }

    private func measure(seconds: Double, on pool: WorkerPool) -> (times: [Double], batchesPerSecond: Double) {
        let scratch = ThreadScratch(slotCount: pool.slotCount)
        let input = pixels()
        let totals = Lock((times: [Double](), rate: 0.0))
        let clock = MonotonicClock()
        // All warm up, none measures before the last one is warm, and none stops while another measures.
        let warm = Turnstile(workers)
        let measured = Turnstile(workers)
        runOnce(on: pool, count: workers) { [plan, batch] in
            var session = Session(plan: plan, capacity: batch)
            input.withUnsafeBufferPointer { input in
                let inputs = [UnsafeInput](repeating: .rgb(input.baseAddress!), count: batch)
                func runBatch() -> Double {
                    let start = clock.now()
                    pool.withScope { session.run(inputs, in: $0, scratch: scratch) }
                    return clock.now().seconds(since: start)
                }
                let start = clock.now()
                repeat { _ = runBatch() } while clock.now().seconds(since: start) < Self.warmUpShare * seconds
                warm.enter()
                while !warm.isComplete { _ = runBatch() }

                var times: [Double] = []
                let begin = clock.now()
                repeat {
                    times.append(runBatch())
                } while times.count < Self.leastBatches
                    || clock.now().seconds(since: begin) < seconds
                let rate = Double(times.count) / clock.now().seconds(since: begin)
                measured.enter()
                while !measured.isComplete { _ = runBatch() }
                totals.withLock {
                    $0.times += times
                    $0.rate += rate
                }
            }
        }
        return totals.withLock { ($0.times, $0.rate) }
    }

    /// The best of three rounds in which every thread does the plan's multiply-adds in registers.
    func peakOperationsPerSecond(on pool: WorkerPool) -> Double {
        let clock = MonotonicClock()
        var iterations = 1 << 16
        var peak = 0.0
        var rounds = 0
        while rounds < 3 {
            let ready = Turnstile(threads)
            let rate = Lock((sum: 0.0, longest: 0.0))
            runOnce(on: pool, count: threads) { [table = plan.table, isInBytes = plan.isInBytes, iterations] in
                ready.enter()
                while !ready.isComplete { sched_yield() }
                let start = clock.now()
                let operations =
                    isInBytes
                    ? table.dotProductChains(iterations: iterations) : table.multiplyAddChains(iterations: iterations)
                let seconds = clock.now().seconds(since: start)
                rate.withLock {
                    $0.sum += Double(operations) / seconds
                    $0.longest = max($0.longest, seconds)
                }
            }
            let (sum, longest) = rate.withLock { $0 }
            // Long enough that all run at once for nearly all of it.
            if longest < 0.05 {
                iterations *= 2
                continue
            }
            peak = max(peak, sum)
            rounds += 1
        }
        return peak
    }

    /// Runs `body` on `count` of the pool's threads at the same time and waits for all.
    func runOnce(on pool: WorkerPool, count: Int, _ body: @escaping @Sendable () -> Void) {
        let running = Lock(count)
        let finished = Condition()
        for _ in 0..<count {
            let isAccepted = pool.submit {
                body()
                running.withLock { $0 -= 1 }
                finished.signal()
            }
            precondition(isAccepted, "an idle pool refused a job")
        }
        running.withLock(waitingOn: finished) { $0 == 0 ? () : nil }
    }

    /// Of an image, `[height][width][3]`.
    func pixels() -> [UInt8] {
        Self.noise(count: 3 * plan.inputHeight * plan.inputWidth, scale: 127).map { UInt8($0 + 128) }
    }

    /// `count` values in `-scale...scale`, always the same.
    static func noise(count: Int, scale: Float) -> [Float] {
        var state: UInt64 = 0x9E37_79B9_7F4A_7C15
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return scale * (Float(state >> 40) / Float(1 << 23) - 1)
        }
    }
}

/// Lets threads see when the last of them has come.
private final class Turnstile: Sendable {
    private let missing: Atomic<Int>

    init(_ count: Int) { missing = Atomic(count) }

    func enter() { missing.subtract(1, ordering: .relaxed) }

    var isComplete: Bool { missing.load(ordering: .relaxed) == 0 }
}

extension Graph {
    /// Weights that keep activations at the size of the input; the batch norms do nothing.
    init(randomWeightsFor architecture: Architecture) throws(InferenceError) {
        let shapes = Dictionary(uniqueKeysWithValues: architecture.parameters().map { ($0.parameter, $0.shape) })
        try self.init(architecture: architecture) { parameter in
            let shape = shapes[parameter, default: []]
            let count = shape.reduce(1, *)
            switch parameter.role {
            case .convolutionWeight:
                let fanIn = Float(count / shape[0])
                return EngineBenchmark.noise(count: count, scale: (6 / fanIn).squareRoot())
            case .batchNormWeight, .batchNormVariance: return [Float](repeating: 1, count: count)
            case .convolutionBias, .batchNormBias, .batchNormMean: return [Float](repeating: 0, count: count)
            }
        }
    }
}
