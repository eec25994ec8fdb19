import TestSupport
import Testing

@testable import Parallelism

struct BoundedQueueTests {
    @Test(arguments: [1, 2, 7]) func behavesAsAnArrayWithALimit(capacity: Int) {
        let seed = UInt64(900 + capacity)
        var random = SplitMix64(seed: seed)
        var queue = BoundedQueue<Int>(capacity: capacity)
        var model: [Int] = []
        for step in 0..<2000 {
            if Bool.random(using: &random) {
                let isAccepted = queue.append(step)
                #expect(isAccepted == (model.count < capacity), "seed \(seed)")
                if isAccepted { model.append(step) }
            } else {
                let element = queue.popFirst()
                #expect(element == (model.isEmpty ? nil : model.removeFirst()), "seed \(seed)")
            }
            #expect(queue.count == model.count && queue.isEmpty == model.isEmpty, "seed \(seed)")
        }
    }

    @Test func letsGoOfWhatWasTaken() {
        final class Element {}
        var queue = BoundedQueue<Element>(capacity: 2)
        weak var element: Element?
        do {
            let owned = Element()
            element = owned
            let isAccepted = queue.append(owned)
            #expect(isAccepted)
        }
        #expect(element != nil)
        _ = queue.popFirst()
        #expect(element == nil)
    }
}
