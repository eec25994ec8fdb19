import Kernels
import Parallelism
import Tensors

/// What the head has read of one image of a run, copied: its maps can be made when the session serves others again.
public struct HeadInput: Sendable {
    fileprivate enum Content: Sendable {
        case floats(HeadMemory<Float>)
        case bytes(HeadMemory<UInt8>)
    }

    fileprivate let content: Content
}

/// Not written after `init`; kernels read their rows through pointers that may write.
private final class HeadMemory<Element: BitwiseCopyable & Sendable>: Sendable {
    private let buffer: AlignedBuffer<Element>
    var pointer: UnsafeMutablePointer<Element> { buffer.pointer }

    /// - Parameter slack: how far kernels may read past the end.
    init(copying source: UnsafePointer<Element>, count: Int, slack: Int) {
        buffer = AlignedBuffer(count: count + slack)
        buffer.pointer.update(from: source, count: count)
    }
}

extension Execution {
    /// Of image `image` of the last run.
    func headInput(image: Int) -> HeadInput {
        let last = plan.segments.count - 1
        return HeadInput(
            content: .floats(
                HeadMemory(
                    copying: tensors(last, image: image).output, count: plan.segments[last].output.size, slack: 0)))
    }
}

extension ByteExecution {
    /// Of image `image` of the last run.
    func headInput(image: Int) -> HeadInput {
        let last = plan.steps.count - 1
        return HeadInput(
            content: .bytes(
                HeadMemory(
                    copying: tensors(last, image: image).output, count: plan.steps[last].output.size,
                    slack: BytePlan.slack)))
    }
}

/// The last feature map, which a run only leaves the mean of: made again of what the head has read, where it is asked for.
/// So runs are the same whether it is or not.
extension Plan {
    /// Where each of `classes` was seen on an image; the scope's idle workers help.
    ///
    /// Numerics: an image's maps have the same bits whatever else was in the batch and whoever helps.
    /// - Precondition: `input` is of this plan, as the classes are; `scratch` has the slots of the scope's pool.
    /// - Complexity: the head's convolution over one image, and a dot product for each class and cell.
    public func activationMaps(
        of input: HeadInput, classes: [Int], in scope: ParallelScope, scratch: ThreadScratch
    ) -> [ActivationMap] {
        switch (network, input.content) {
        case (.float(let plan), .floats(let memory)):
            plan.activationMaps(of: memory.pointer, classes: classes, in: scope)
        case (.bytes(let plan), .bytes(let memory)):
            plan.activationMaps(of: memory.pointer, classes: classes, table: table, in: scope, scratch: scratch)
        default: preconditionFailure("what the head of another plan has read")
        }
    }
}

extension FloatPlan {
    fileprivate func activationMaps(
        of input: UnsafeMutablePointer<Float>, classes: [Int], in scope: ParallelScope
    ) -> [ActivationMap] {
        let shape = segments[segments.count - 1].output
        let vectorWidth = table.vectorWidth
        let taps = UnsafeTaps(offsets: singleTap.pointer, count: 1, run: head.depth)
        let groups = head.groups(atMost: max(1, head.columns / SegmentPlan.sliceWidth))
        let rowStride = channelStride(head.vectors * vectorWidth)
        let pixelsAtOnce = min(Execution.pixelsAtOnce, shape.pixels)
        let made = AlignedBuffer<Float>(count: pixelsAtOnce * rowStride)
        let offsets = OffsetTable(count: pixelsAtOnce, step: rowStride)
        var maps = ActivationMaps(classes: classes, pixels: shape.pixels) { classifier.weights(ofColumn: $0) }
        for first in stride(from: 0, to: shape.pixels, by: pixelsAtOnce) {
            let count = min(pixelsAtOnce, shape.pixels - first)
            scope.forEach(groups.count) { task, _ in
                head.multiplyUnsafe(
                    UnsafeStridedRows(input + first * shape.stride, stride: shape.stride), taps: taps,
                    into: UnsafeRows(made.pointer + groups[task].first * vectorWidth, offsets.pointer), rows: count,
                    group: groups[task], activation: headActivation)
            }
            maps.append(made.pointer, count: count, stride: rowStride)
        }
        return maps.maps(height: shape.height, width: shape.width)
    }
}

extension BytePlan {
    fileprivate func activationMaps(
        of input: UnsafePointer<UInt8>, classes: [Int], table: KernelTable, in scope: ParallelScope,
        scratch: ThreadScratch
    ) -> [ActivationMap] {
        let shape = steps[steps.count - 1].output
        let groups = head.groups(atMost: max(1, head.columns / ByteSegmentPlan.sliceWidth))
        let made = AlignedBuffer<Float>(count: shape.pixels * featureCount)
        let zeroPoint = Float(featureBytes.offset / shape.pixels)
        scope.forEach(groups.count) { task, slot in
            let group = groups[task]
            let first = group.first * table.vectorWidth
            let width = group.vectors * table.vectorWidth
            let pixelStride = ByteShape(width).stride
            scratch.withBytes(shape.pixels * (pixelStride + 4), slot: slot) { cursor in
                let bytes = cursor.take(shape.pixels * pixelStride, of: UInt8.self)
                let offsets = cursor.take(shape.pixels, of: UInt32.self)
                for i in 0..<shape.pixels { offsets[i] = UInt32(i * pixelStride) }
                head.multiplyUnsafe(
                    UnsafeByteRows(input, headOffsets.pointer), taps: singleTap.pointer,
                    into: UnsafeByteResults(bytes, offsets), rows: shape.pixels, group: group)
                for pixel in 0..<shape.pixels {
                    for c in 0..<min(width, featureCount - first) {
                        made.pointer[pixel * featureCount + first + c] =
                            Float(bytes[pixel * pixelStride + c]) - zeroPoint
                    }
                }
            }
        }
        // A step of the head's bytes in steps of the features' bytes, which the classifier's weights are of.
        let steps = featureBytes.multipliers.map { $0 * Float(shape.pixels) }
        var maps = ActivationMaps(classes: classes, pixels: shape.pixels) {
            zip(classifier.weights(ofColumn: $0), steps).map { $0 * $1 }
        }
        maps.append(made.pointer, count: shape.pixels, stride: featureCount)
        return maps.maps(height: shape.height, width: shape.width)
    }
}
