import TestSupport
import Testing

@testable import Inference

struct MemoryPlanTests {
    @Test(arguments: 0..<50) func neverPlacesTwoLivingTensorsOnTheSameMemory(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let tensors = (0..<Int.random(in: 1...40, using: &random)).map { _ in
            let first = Int.random(in: 0..<20, using: &random)
            let last = first + Int.random(in: 0..<5, using: &random)
            return MemoryPlan.Tensor(size: Int.random(in: 0...5000, using: &random), lifetime: first...last)
        }
        let plan = MemoryPlan(tensors)
        for (i, a) in tensors.enumerated() {
            #expect(plan.offsets[i] % 16 == 0)
            #expect(plan.offsets[i] + a.size <= plan.total)
            for (j, b) in tensors.enumerated() where j > i && a.lifetime.overlaps(b.lifetime) {
                let apart = plan.offsets[i] + a.size <= plan.offsets[j] || plan.offsets[j] + b.size <= plan.offsets[i]
                #expect(apart || a.size == 0 || b.size == 0, "seed \(seed): tensors \(i) and \(j)")
            }
        }
    }

    @Test func sharesMemoryBetweenTensorsThatDoNotMeet() {
        let plan = MemoryPlan((0..<10).map { .init(size: 1600, lifetime: $0...$0 + 1) })
        #expect(plan.total == 3200)
    }
}
