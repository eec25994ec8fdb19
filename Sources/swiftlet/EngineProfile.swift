import Inference
import Parallelism

/// `bench --profile`: what each block of a plan takes in real runs, beside what the cores could do.
struct EngineProfile: Encodable {
    struct Block: Encodable {
        let name: String
        /// Of one batch: from the block's begin to its end.
        let milliseconds: Double
        /// Billions of operations a second, two for each multiply-accumulate.
        let gflops: Double
        /// Moved at the least: weights once a batch, stored tensors once an image.
        let megabytes: Double
        let gigabytesPerSecond: Double
        /// The limit that is nearer: the cores' multiply-adds or the memory behind their own caches.
        let limit: String
        /// Of what that limit allows.
        let share: Double
        /// By part, summed over the threads.
        let parts: [Part]
    }

    struct Part: Encodable {
        let name: String
        let milliseconds: Double
        let gflops: Double
    }

    let model: String
    /// Shapes: [channels, height, width].
    let input: [Int]
    let isa: String
    let batch, threads: Int
    /// Batches measured.
    let runs: Int
    /// Of one batch, the clock's readings included.
    let milliseconds: Double
    let gflops, peakGflops, share: Double
    /// What the threads read at once of memory that does not fit in their own caches.
    let readGigabytesPerSecond: Double
    let blocks: [Block]

    init(
        model: String, batch: Int, threads: Int, runs: Int, profile: RunProfile, peakOperationsPerSecond peak: Double,
        readBytesPerSecond: Double
    ) {
        let plan = profile.plan
        self.model = model
        input = [3, plan.inputHeight, plan.inputWidth]
        isa = plan.table.isa
        (self.batch, self.threads, self.runs) = (batch, threads, runs)
        peakGflops = 1e-9 * peak
        readGigabytesPerSecond = 1e-9 * readBytesPerSecond
        blocks = plan.blocks.enumerated().map { index, block in
            let seconds = 1e-9 * Double(profile.wallNanoseconds[index]) / Double(runs)
            let operations = 2 * Double(block.multiplyAccumulates.values.reduce(0, +) * batch)
            let bytes = Double(block.weightBytes + block.activationBytes * batch)
            let (compute, transfer) = (operations / peak, bytes / readBytesPerSecond)
            let parts = RunProfile.Part.allCases.compactMap { part -> Part? in
                let seconds = 1e-9 * Double(profile.nanoseconds(of: part, block: index)) / Double(runs)
                guard seconds > 0 else { return nil }
                let operations = 2 * Double(block.multiplyAccumulates[part, default: 0] * batch)
                return Part(name: "\(part)", milliseconds: 1e3 * seconds, gflops: 1e-9 * operations / seconds)
            }
            return Block(
                name: block.name, milliseconds: 1e3 * seconds, gflops: 1e-9 * operations / seconds,
                megabytes: 1e-6 * bytes, gigabytesPerSecond: 1e-9 * bytes / seconds,
                limit: compute >= transfer ? "fma" : "memory", share: max(compute, transfer) / seconds, parts: parts)
        }
        milliseconds = blocks.map(\.milliseconds).reduce(0, +)
        gflops = 2e-6 * Double(plan.multiplyAccumulates * batch) / milliseconds
        share = gflops / peakGflops
    }

    var text: String {
        var table = TextTable([
            ("block", .left), ("ms", .right), ("GFLOP/s", .right), ("MB", .right), ("GB/s", .right), ("limit", .left),
            ("share", .right), ("parts: ms, GFLOP/s", .left),
        ])
        for block in blocks {
            let parts = block.parts.map { part in
                "\(part.name) \(NumberText.fixed(part.milliseconds, 3))"
                    + (part.gflops > 0 ? " \(NumberText.fixed(part.gflops, 0))" : "")
            }
            table.add([
                block.name, NumberText.fixed(block.milliseconds, 3), NumberText.fixed(block.gflops, 1),
                NumberText.fixed(block.megabytes, 2), NumberText.fixed(block.gigabytesPerSecond, 1), block.limit,
                NumberText.percent(block.share, 0), parts.joined(separator: " · "),
            ])
        }
        table.add([
            "all", NumberText.fixed(milliseconds, 3), NumberText.fixed(gflops, 1),
            NumberText.fixed(blocks.map(\.megabytes).reduce(0, +), 2), "", "fma", NumberText.percent(share, 0), "",
        ])
        return
            "\(model), input \(NumberText.shape(input)), batch \(batch), \(isa), threads \(threads), \(runs) batches; "
            + "cores \(NumberText.fixed(peakGflops, 1)) billion operations/s of multiply-adds, "
            + "memory \(NumberText.fixed(readGigabytesPerSecond, 1)) GB/s\n" + table.text
    }
}

extension EngineBenchmark {
    /// Profiles batches of one session for `seconds`, after a warm-up.
    func profile(model: String, seconds: Double) -> EngineProfile {
        let pool = WorkerPool(workerCount: threads)
        defer { pool.shutdown() }
        let before = peakOperationsPerSecond(on: pool)
        let memory = readBytesPerSecond(on: pool)
        let result = Lock<(profile: RunProfile, runs: Int)?>(nil)
        let input = pixels()
        runOnce(on: pool, count: 1) { [plan, batch] in
            let clock = MonotonicClock()
            let scratch = ThreadScratch(slotCount: pool.slotCount)
            var session = Session(plan: plan, capacity: batch)
            input.withUnsafeBufferPointer { input in
                let inputs = [UnsafeInput](repeating: .rgb(input.baseAddress!), count: batch)
                func run(for seconds: Double, _ profile: RunProfile) -> Int {
                    let start = clock.now()
                    var runs = 0
                    repeat {
                        pool.withScope { session.run(inputs, in: $0, scratch: scratch, profile: profile) }
                        runs += 1
                    } while clock.now().seconds(since: start) < seconds
                    return runs
                }
                _ = run(for: Self.warmUpShare * seconds, RunProfile(plan: plan, slotCount: pool.slotCount))
                let profile = RunProfile(plan: plan, slotCount: pool.slotCount)
                let runs = run(for: seconds, profile)
                result.withLock { $0 = (profile, runs) }
            }
        }
        guard let (profile, runs) = result.withLock({ $0 }) else { preconditionFailure("the job has run") }
        let peak = max(before, peakOperationsPerSecond(on: pool))
        return EngineProfile(
            model: model, batch: batch, threads: threads, runs: runs, profile: profile, peakOperationsPerSecond: peak,
            readBytesPerSecond: memory)
    }

    /// The best of three rounds in which every thread adds up memory of its own that no core's own cache holds.
    private func readBytesPerSecond(on pool: WorkerPool) -> Double {
        let rate = Lock([Double](repeating: 0, count: 3))
        let lanes = plan.table.vectorWidth  // contiguous
        let rows = 16 * 1024 * 1024 / 4 / lanes
        runOnce(on: pool, count: threads) { [table = plan.table] in
            let clock = MonotonicClock()
            let memory = [Float](repeating: 1, count: rows * lanes)
            var sums = [Float](repeating: 0, count: lanes)
            for round in 0..<3 {
                let start = clock.now()
                memory.withUnsafeBufferPointer { memory in
                    sums.withUnsafeMutableBufferPointer { sums in
                        table.addColumnsUnsafe(
                            memory.baseAddress!, stride: lanes, width: rows, vectors: 1,
                            to: sums.baseAddress!)
                    }
                }
                let seconds = clock.now().seconds(since: start)
                rate.withLock { $0[round] += Double(4 * rows * lanes) / seconds }
            }
        }
        return rate.withLock { $0.max()! }
    }
}
