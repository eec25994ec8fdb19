import EfficientNet
import Kernels
import Parallelism
import TestSupport
import Testing

@testable import Inference

/// The same image gives the same bits, whatever the batch, the place in it, the neighbours, the threads and the ISA.
struct BitIdentityTests {
    /// One with squeeze-and-excite, one without, two with fused blocks and either padding; sizes that are large enough
    /// for rows and slices, and odd.
    static let cases: [(name: String, size: Int)] = [
        ("efficientnet_b0", 129), ("efficientnet_lite0", 96), ("efficientnet_v2_s", 75),
        ("tf_efficientnetv2_b0", 99),
    ]

    static func images(_ count: Int, size: Int) -> [[Float]] {
        var random = SplitMix64(seed: 77)
        return (0..<count).map { _ in random.floats(3 * size * size) }
    }

    @Test(arguments: cases) func holdsOverBatchesPlacesThreadsAndISAs(name: String, size: Int) throws {
        let dialect: Dialect = name.contains("lite") || name.hasPrefix("tf_") ? .timm : .torchvision
        let architecture = try Architecture(named: name, dialect: dialect, classCount: 10)
        let graph = try Graph(SyntheticCheckpoint(architecture, dialect: dialect, gain: 1.2).checkpoint())
        let images = Self.images(5, size: size)
        var expected: [[UInt32]]?
        for table in KernelTable.available.filter(\.isFused) {
            let plan = try Plan(graph: graph, table: table, inputHeight: size, inputWidth: size)
            for threads in [1, 2, 3] {
                let engine = TestEngine(threads: threads)
                let alone = images.map { engine.logits(plan, planar: $0, images: 1)[0].map(\.bitPattern) }
                if let expected { #expect(alone == expected, "\(table.isa), \(threads) threads") }
                expected = expected ?? alone
                for order in [[0, 1], [1, 0, 2], [4, 3, 2, 1, 0], [2, 2, 2, 2, 2, 2, 2, 0]] {
                    let batch = engine.logits(plan, planar: order.flatMap { images[$0] }, images: order.count)
                    #expect(
                        batch.map { $0.map(\.bitPattern) } == order.map { alone[$0] },
                        "\(table.isa), \(threads) threads, batch \(order)")
                }
            }
        }
        #expect(expected != nil || KernelTable.available.allSatisfy { !$0.isFused })
    }

    /// A picture so wide that a task makes its rows of Winograd's tiles in several strips, and how many depends on the
    /// ISA's vectors.
    @Test func holdsWhereFusedBlocksAreCutIntoStrips() throws {
        let (height, width) = (37, 700)
        let architecture = try Architecture(named: "tf_efficientnetv2_b0", dialect: .timm, classCount: 10)
        let graph = try Graph(SyntheticCheckpoint(architecture, dialect: .timm, gain: 1.2).checkpoint())
        var random = SplitMix64(seed: 78)
        let image = random.floats(3 * height * width)
        var expected: [Float]?
        for table in KernelTable.available.filter(\.isFused) {
            let floats = FloatPlan(
                graph: graph, table: table, inputHeight: height, inputWidth: width, normalisation: .imageNet)
            let strips = floats.segments.filter { $0.front?.winograd != nil }.map(\.strategy)
            #expect(strips.contains { if case .rows(let count) = $0 { count < 10 } else { false } }, "\(table.isa)")
            for threads in [1, 2, 3, 5] {
                let plan = try Plan(graph: graph, table: table, inputHeight: height, inputWidth: width)
                let logits = TestEngine(threads: threads).logits(plan, planar: image, images: 1)[0]
                if let expected { #expect(logits == expected, "\(table.isa), \(threads) threads") }
                expected = expected ?? logits
            }
        }
        guard let expected else { return }
        let exact = ReferenceNetwork(graph).logits(planar: image, height: height, width: width)
        let worst = zip(expected, exact).map { abs(Double($0) - $1) }.max()!
        #expect(worst <= 1e-5 * exact.map(abs).max()!)
    }

    @Test func holdsWhileOthersUseThePool() throws {
        let architecture = try Architecture(named: "efficientnet_lite0", dialect: .timm, classCount: 10)
        let graph = try Graph(SyntheticCheckpoint(architecture, dialect: .timm, gain: 1.2).checkpoint())
        let plan = try Plan(graph: graph, inputHeight: 80, inputWidth: 80)
        let images = Self.images(4, size: 80)
        let engine = TestEngine(threads: 2)
        let alone = images.map { engine.logits(plan, planar: $0, images: 1)[0] }
        let results = Lock([[Float]](repeating: [], count: 40))
        let left = Lock(40)
        for i in 0..<40 {
            let isAccepted = engine.pool.submit { [pool = engine.pool, scratch = engine.scratch] in
                var session = Session(plan: plan, capacity: 1)
                images[i % 4].withUnsafeBufferPointer { values in
                    pool.withScope { session.run([.planar(values.baseAddress!)], in: $0, scratch: scratch) }
                }
                let logits = session.logits(of: 0)
                results.withLock { $0[i] = logits }
                left.withLock { $0 -= 1 }
            }
            #expect(isAccepted)
        }
        engine.pool.shutdown()
        #expect(left.withLock { $0 } == 0)
        for (i, logits) in results.withLock({ $0 }).enumerated() { #expect(logits == alone[i % 4]) }
    }
}
