import EfficientNet
import Kernels
import Parallelism
import TestSupport
import Testing

@testable import Inference

/// Logits against PyTorch's, computed in float64.
struct GoldenTests {
    /// Largest error relative to the largest logit that is allowed.
    static func bound(_ golden: Golden) -> Double { max(1e-4, 30 * golden.float32Error) }

    @Test(arguments: Golden.bundled) func agreesWithPyTorchOnEveryISA(name: String) throws {
        let golden = try Golden(name)
        let graph = try Graph(SyntheticCheckpoint(golden).checkpoint())
        let size = golden.inputShape[2]
        let input = SyntheticCheckpoint.input(size: size)
        let largest = golden.logits.joined().map(abs).max()!
        for table in KernelTable.available {
            let plan = try Plan(graph: graph, table: table, inputHeight: size, inputWidth: size)
            let logits = TestEngine(threads: 2).logits(plan, planar: input.values, images: 2)
            for (row, expected) in zip(logits, golden.logits) {
                let worst = zip(row, expected).map { abs($0 - $1) }.max()!
                #expect(Double(worst / largest) <= Self.bound(golden), "\(table.isa)")
                #expect(!row.contains { $0.isNaN })
            }
        }
    }
}

/// A pool with scratch, and sessions made for one run each.
final class TestEngine {
    let pool: WorkerPool
    let scratch: ThreadScratch

    init(threads: Int) {
        pool = WorkerPool(workerCount: threads)
        scratch = ThreadScratch(slotCount: pool.slotCount)
    }

    deinit { pool.shutdown() }

    /// Logits of `images` images, `[images][3][height][width]`.
    func logits(_ plan: Plan, planar values: [Float], images: Int) -> [[Float]] {
        var session = Session(plan: plan, capacity: images)
        let size = 3 * plan.inputHeight * plan.inputWidth
        precondition(values.count == size * images)
        values.withUnsafeBufferPointer { values in
            let inputs = (0..<images).map { UnsafeInput.planar(values.baseAddress! + $0 * size) }
            pool.withScope { session.run(inputs, in: $0, scratch: scratch) }
        }
        return (0..<images).map { session.logits(of: $0) }
    }

    /// Logits of images `[height][width][3]`.
    func logits(_ plan: Plan, rgb images: [[UInt8]]) -> [[Float]] {
        var session = Session(plan: plan, capacity: images.count)
        let size = 3 * plan.inputHeight * plan.inputWidth
        images.flatMap(\.self).withUnsafeBufferPointer { pixels in
            precondition(pixels.count == size * images.count)
            let inputs = images.indices.map { UnsafeInput.rgb(pixels.baseAddress! + $0 * size) }
            pool.withScope { session.run(inputs, in: $0, scratch: scratch) }
        }
        return images.indices.map { session.logits(of: $0) }
    }
}
