import Kernels
import Parallelism
import Tensors

/// The last feature map, which a run only leaves the mean of: made again of what the head has read, where it is asked for.
/// So runs are the same whether it is or not.
extension Execution {
    /// Of image `image` of the last run.
    func activationMaps(image: Int, classes: [Int]) -> [ActivationMap] {
        let last = plan.segments.count - 1
        let shape = plan.segments[last].output
        let head = plan.head
        let vectorWidth = plan.table.vectorWidth
        let input = tensors(last, image: image).output
        let taps = UnsafeTaps(offsets: plan.singleTap.pointer, count: 1, run: head.depth)
        let groups = head.groups(atMost: max(1, head.columns / SegmentPlan.sliceWidth))
        let rowStride = channelStride(head.vectors * vectorWidth)
        let pixelsAtOnce = min(Self.pixelsAtOnce, shape.pixels)
        let made = AlignedBuffer<Float>(count: pixelsAtOnce * rowStride)
        let offsets = OffsetTable(count: pixelsAtOnce, step: rowStride)
        var maps = ActivationMaps(classes: classes, pixels: shape.pixels) { plan.classifier.weights(ofColumn: $0) }
        for first in stride(from: 0, to: shape.pixels, by: pixelsAtOnce) {
            let count = min(pixelsAtOnce, shape.pixels - first)
            scope.forEach(groups.count) { task, _ in
                head.multiplyUnsafe(
                    UnsafeStridedRows(input + first * shape.stride, stride: shape.stride), taps: taps,
                    into: UnsafeRows(made.pointer + groups[task].first * vectorWidth, offsets.pointer), rows: count,
                    group: groups[task], activation: plan.headActivation)
            }
            maps.append(made.pointer, count: count, stride: rowStride)
        }
        return maps.maps(height: shape.height, width: shape.width)
    }
}

extension ByteExecution {
    /// Of image `image` of the last run.
    func activationMaps(image: Int, classes: [Int]) -> [ActivationMap] {
        let last = plan.steps.count - 1
        let shape = plan.steps[last].output
        let head = plan.head
        let groups = head.groups(atMost: max(1, head.columns / ByteSegmentPlan.sliceWidth))
        let input = tensors(last, image: image).output
        let made = AlignedBuffer<Float>(count: shape.pixels * plan.featureCount)
        let zeroPoint = Float(plan.featureBytes.offset / shape.pixels)
        scope.forEach(groups.count) { task, slot in
            let group = groups[task]
            let first = group.first * table.vectorWidth
            let width = group.vectors * table.vectorWidth
            let pixelStride = ByteShape(width).stride
            withScratch(shape.pixels * (pixelStride + 4), slot: slot) { cursor in
                let bytes = cursor.take(shape.pixels * pixelStride, of: UInt8.self)
                let offsets = cursor.take(shape.pixels, of: UInt32.self)
                for i in 0..<shape.pixels { offsets[i] = UInt32(i * pixelStride) }
                head.multiplyUnsafe(
                    UnsafeByteRows(input, plan.headOffsets.pointer), taps: plan.singleTap.pointer,
                    into: UnsafeByteResults(bytes, offsets), rows: shape.pixels, group: group)
                for pixel in 0..<shape.pixels {
                    for c in 0..<min(width, plan.featureCount - first) {
                        made.pointer[pixel * plan.featureCount + first + c] =
                            Float(bytes[pixel * pixelStride + c]) - zeroPoint
                    }
                }
            }
        }
        // A step of the head's bytes in steps of the features' bytes, which the classifier's weights are of.
        let steps = plan.featureBytes.multipliers.map { $0 * Float(shape.pixels) }
        var maps = ActivationMaps(classes: classes, pixels: shape.pixels) {
            zip(plan.classifier.weights(ofColumn: $0), steps).map { $0 * $1 }
        }
        maps.append(made.pointer, count: shape.pixels, stride: plan.featureCount)
        return maps.maps(height: shape.height, width: shape.width)
    }
}
