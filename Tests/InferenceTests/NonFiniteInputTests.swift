import EfficientNet
import Kernels
import Parallelism
import TestSupport
import Testing

@testable import Inference

/// Numbers that are infinite or none, or become so on the way, spoil the result of their own image alone.
struct NonFiniteInputTests {
    private static func poisons(size: Int) -> [[Float]] {
        var random = SplitMix64(seed: 9)
        return [Float.nan, -.infinity, .greatestFiniteMagnitude].map {
            [Float](repeating: $0, count: size)
        } + [(0..<size).map { _ in Float(bitPattern: UInt32(truncatingIfNeeded: random.next())) }]
    }

    /// Leads a session through clean and spoilt runs.
    ///
    /// - Returns: whether any spoilt result is not finite.
    private static func expectCleanResults(_ plan: Plan, size: Int) -> Bool {
        let pool = WorkerPool(workerCount: 2)
        defer { pool.shutdown() }
        let scratch = ThreadScratch(slotCount: pool.slotCount)
        var session = Session(plan: plan, capacity: 3)
        func run(_ images: [[Float]]) -> [[UInt32]] {
            images.flatMap(\.self).withUnsafeBufferPointer { values in
                let inputs = images.indices.map { UnsafeInput.planar(values.baseAddress! + $0 * 3 * size * size) }
                pool.withScope { session.run(inputs, in: $0, scratch: scratch) }
            }
            return images.indices.map { index in
                (session.logits(of: index) + session.features(of: index)).map(\.bitPattern)
            }
        }
        let clean = BitIdentityTests.images(2, size: size)
        let expected = run(clean)
        var isSpoilt = false
        for poison in poisons(size: 3 * size * size) {
            let spoilt = run([poison, poison, poison])[0]
            #expect(run([clean[0]]) == [expected[0]])
            let mixed = run([clean[0], poison, clean[1]])
            #expect(mixed[0] == expected[0] && mixed[2] == expected[1])
            #expect(mixed[1] == spoilt)
            #expect(run([poison, clean[1]])[1] == expected[1])
            isSpoilt = isSpoilt || spoilt.contains { !Float(bitPattern: $0).isFinite }
        }
        return isSpoilt
    }

    @Test(arguments: BitIdentityTests.cases) func spoilNoNeighboursInFloatingPoint(name: String, size: Int) throws {
        let dialect: Dialect = name.contains("lite") || name.hasPrefix("tf_") ? .timm : .torchvision
        let architecture = try Architecture(named: name, dialect: dialect, classCount: 10)
        let graph = try Graph(SyntheticCheckpoint(architecture, dialect: dialect, gain: 1.2).checkpoint())
        for table in KernelTable.available {
            let plan = try Plan(graph: graph, table: table, inputHeight: size, inputWidth: size)
            let isSpoilt = Self.expectCleanResults(plan, size: size)
            // Or else there would have been nothing to spoil the others; ReLU6 may cut it off at once.
            #expect(isSpoilt || name.contains("lite"), "\(table.isa)")
        }
    }

    @Test(arguments: ["efficientnet_lite0", "efficientnet_b0", "efficientnet_v2_s"])
    func spoilNoNeighboursInBytes(name: String) throws {
        let dialect: Dialect = name.contains("lite") ? .efficientNetPyTorch : .torchvision
        let architecture = try Architecture(named: name, dialect: dialect, classCount: 10)
        let integers = QuantizedGraph(randomWeightsFor: architecture)
        let floats = try Graph(SyntheticCheckpoint(architecture, dialect: dialect, gain: 1.2).checkpoint())
        // In bytes throughout, and with stretches in floating point at the beginning and within.
        for kept in [[], [0, 1], [3]] as [Set<Int>] {
            let graph = QuantizedGraph(
                architecture: architecture, normalisation: integers.normalisation,
                segments: integers.segments.enumerated().map { kept.contains($0) ? .float(floats.segments[$0]) : $1 },
                headInput: integers.headInput, head: integers.head, features: integers.features,
                classifier: integers.classifier)
            for table in KernelTable.available {
                let plan = try Plan(graph: graph, table: table, inputHeight: 64, inputWidth: 64)
                // Bytes are always finite.
                #expect(!Self.expectCleanResults(plan, size: 64))
            }
        }
    }
}
