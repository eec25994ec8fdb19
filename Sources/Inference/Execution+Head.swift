import Kernels
import Parallelism

/// The end of the network: 1×1 convolution, average over the picture, classifier.
extension Execution {
    /// Pixels of the head's convolution that are in scratch at once.
    static let pixelsAtOnce = 196

    func runHead(images: Int) {
        timedBlock(plan.segments.count + 1) { runPooledConvolution(images: images) }
        timedBlock(plan.segments.count + 2) { runClassifier(images: images) }
    }

    private func runPooledConvolution(images: Int) {
        let last = plan.segments.count - 1
        let shape = plan.segments[last].output
        let head = plan.head
        let vectorWidth = plan.table.vectorWidth
        let featureStride = channelStride(plan.featureCount)
        let groups = head.groups(atMost: max(1, head.columns / SegmentPlan.sliceWidth))
        let inputs = (0..<images).map { tensors(last, image: $0).output }
        let taps = UnsafeTaps(offsets: plan.singleTap.pointer, count: 1, run: head.depth)
        let factor = 1 / Float(shape.pixels)
        scope.forEach(groups.count) { task, slot in
            let group = groups[task]
            let width = channelStride(group.vectors * vectorWidth)
            var cursor = ScratchCursor(
                scratch.floats(Self.pixelsAtOnce * (width + 1) + 16, slot: slot))
            let made = cursor.take(Self.pixelsAtOnce * width)
            let offsets = UnsafeMutableRawPointer(cursor.take(Self.pixelsAtOnce))
                .bindMemory(to: UInt32.self, capacity: Self.pixelsAtOnce)
            for i in 0..<Self.pixelsAtOnce { offsets[i] = UInt32(i * width) }
            for (image, input) in inputs.enumerated() {
                let mean = features + image * featureStride + group.first * vectorWidth
                mean.update(repeating: 0, count: group.vectors * vectorWidth)
                for first in stride(from: 0, to: shape.pixels, by: Self.pixelsAtOnce) {
                    let count = min(Self.pixelsAtOnce, shape.pixels - first)
                    timed(.front, slot: slot) {
                        head.multiplyUnsafe(
                            UnsafeStridedRows(input + first * shape.stride, stride: shape.stride),
                            taps: taps, into: UnsafeRows(made, offsets), rows: count, group: group,
                            activation: plan.headActivation)
                    }
                    timed(.squeeze, slot: slot) {
                        plan.table.addColumnsUnsafe(
                            made, stride: width, width: count, vectors: group.vectors, to: mean)
                    }
                }
                for c in 0..<group.vectors * vectorWidth { mean[c] *= factor }
            }
        }
    }

    private func runClassifier(images: Int) {
        let classifier = plan.classifier
        let vectorWidth = plan.table.vectorWidth
        let classifierTaps = UnsafeTaps(offsets: plan.singleTap.pointer, count: 1, run: classifier.depth)
        let parts = classifier.groups(atMost: scope.width == 1 ? 1 : 4 * scope.width)
        scope.forEach(parts.count) { task, slot in
            timed(.classifier, slot: slot) {
                classifier.multiplyUnsafe(
                    UnsafeStridedRows(features, stride: channelStride(plan.featureCount)), taps: classifierTaps,
                    into: UnsafeRows(logits + parts[task].first * vectorWidth, plan.classifierOffsets.pointer),
                    rows: images, group: parts[task], activation: .none)
            }
        }
    }
}
