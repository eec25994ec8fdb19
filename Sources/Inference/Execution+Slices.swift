import Kernels
import Parallelism

/// Segments on small pictures: a task makes some of the inner channels over the whole picture; a second round of tasks
/// projects. Weights are read once for the whole batch.
extension Execution {
    func runSlices(_ index: Int, images: Range<Int>) {
        let segment = plan.segments[index]
        let all = images.map { tensors(index, image: $0) }
        let stride = segment.middle.stride
        scope.forEach(segment.slices.count) { task, slot in
            let slice = segment.slices[task]
            let size = segment.paddedHeight * segment.paddedWidth * segment.sliceStride
            let padded = scratch.floats(size, slot: slot)
            timed(.front, slot: slot) { clearBorder(of: padded, segment) }
            for tensors in all { makeSlice(segment, slice, tensors, padded: padded, slot: slot) }
        }
        if segment.squeeze == nil {
            project(segment, all)
        } else {
            // `sums` holds the mean, then the squeezed channels, then the gate.
            timed(.squeeze, slot: scope.slot) {
                for tensors in all {
                    excite(
                        segment, mean: tensors.sums, squeezed: tensors.sums + stride, gate: tensors.sums + 2 * stride)
                }
            }
            projectGated(segment, all.map { ($0, $0.sums + 2 * stride) })
        }
    }

    /// Zeroes what lies around the picture in a slice's padded scratch.
    private func clearBorder(of padded: UnsafeMutablePointer<Float>, _ segment: SegmentPlan) {
        let stride = segment.sliceStride
        let pitch = segment.paddedWidth * stride
        let right = segment.left + segment.middle.width
        for y in 0..<segment.paddedHeight {
            let row = padded + y * pitch
            if y < segment.top || y >= segment.top + segment.middle.height {
                row.update(repeating: 0, count: pitch)
            } else {
                row.update(repeating: 0, count: segment.left * stride)
                (row + right * stride).update(repeating: 0, count: (segment.paddedWidth - right) * stride)
            }
        }
    }

    /// Expands and convolves the channels of `slice`, and averages them where a gate wants that.
    private func makeSlice(
        _ segment: SegmentPlan, _ slice: (first: Int, vectors: Int), _ tensors: Tensors,
        padded: UnsafeMutablePointer<Float>, slot: Int
    ) {
        let depthwise = segment.depthwise!
        let middle = segment.middle
        let firstChannel = slice.first * plan.table.vectorWidth
        let sliceStride = segment.sliceStride
        if let front = segment.front {
            timed(.front, slot: slot) {
                front.matrix.multiplyUnsafe(
                    UnsafeStridedRows(tensors.input, stride: segment.input.stride),
                    taps: UnsafeTaps(offsets: plan.singleTap.pointer, count: 1, run: front.run),
                    into: UnsafeRows(padded, segment.sliceOffsets.pointer), rows: middle.pixels, group: slice,
                    activation: front.activation)
            }
        } else {
            let channels = min(slice.vectors * plan.table.vectorWidth, middle.stride - firstChannel)
            for pixel in 0..<middle.pixels {
                (padded + Int(segment.sliceOffsets.pointer[pixel])).update(
                    from: tensors.input + pixel * middle.stride + firstChannel, count: channels)
            }
        }
        let pitch = segment.paddedWidth * sliceStride
        let inner = tensors.inner + firstChannel
        timed(.depthwise, slot: slot) {
            withUnsafeTemporaryAllocation(of: UnsafePointer<Float>?.self, capacity: segment.paddedHeight) { rows in
                for y in 0..<segment.paddedHeight { rows[y] = UnsafePointer(padded + y * pitch) }
                depthwise.convolveRowsUnsafe(
                    rows.baseAddress!, columnStride: sliceStride, into: inner, outStride: middle.stride,
                    outRowStride: segment.output.width * middle.stride, width: segment.output.width,
                    height: segment.output.height, stride: segment.depthwiseStride, group: slice,
                    activation: segment.depthwiseActivation)
            }
        }
        guard segment.squeeze != nil else { return }
        let count = slice.vectors * plan.table.vectorWidth
        let mean = tensors.sums + firstChannel
        timed(.squeeze, slot: slot) {
            mean.update(repeating: 0, count: count)
            plan.table.addColumnsUnsafe(
                inner, stride: middle.stride, width: segment.innerPixels, vectors: slice.vectors, to: mean)
            let factor = 1 / Float(segment.innerPixels)
            for c in 0..<count { mean[c] *= factor }
        }
    }

    /// mean[c] = Σ rowSums[row][c] / pixels, rows in ascending order.
    func average(
        _ segment: SegmentPlan, rowSums: UnsafeMutablePointer<Float>, rows: Int, into mean: UnsafeMutablePointer<Float>
    ) {
        let stride = segment.middle.stride
        mean.update(repeating: 0, count: stride)
        plan.table.addColumnsUnsafe(
            rowSums, stride: stride, width: rows, vectors: segment.depthwise!.vectors, to: mean)
        let factor = 1 / Float(segment.innerPixels)
        for c in 0..<segment.middle.channels { mean[c] *= factor }
    }

    /// gate = sigmoid(expand(activation(reduce(mean)))).
    func excite(
        _ segment: SegmentPlan, mean: UnsafeMutablePointer<Float>, squeezed: UnsafeMutablePointer<Float>,
        gate: UnsafeMutablePointer<Float>
    ) {
        let (reduce, expand) = segment.squeeze!
        let zero = plan.singleTap.pointer
        reduce.multiplyUnsafe(
            UnsafeStridedRows(mean, stride: 0), taps: UnsafeTaps(offsets: zero, count: 1, run: reduce.depth),
            into: UnsafeRows(squeezed, zero), rows: 1, activation: segment.squeezeActivation)
        expand.multiplyUnsafe(
            UnsafeStridedRows(squeezed, stride: 0), taps: UnsafeTaps(offsets: zero, count: 1, run: expand.depth),
            into: UnsafeRows(gate, zero), rows: 1, activation: .sigmoid)
    }

    /// Pixels that a gated projection takes at once.
    private static let gatedPixels = 56

    /// Projects what each channel's gate is multiplied into: into the weights where there are so many pixels that this is
    /// less to multiply, or else into the pixels, piece by piece.
    func projectGated(_ segment: SegmentPlan, _ images: [(tensors: Tensors, gate: UnsafeMutablePointer<Float>)]) {
        let projection = segment.projection!
        let (stride, outStride) = (segment.middle.stride, segment.output.stride)
        let pixels = segment.innerPixels
        let gatesWeights = segment.gatesWeights
        let pieces = scope.pieces(of: pixels, atMost: Self.gatedPixels)
        let taps = UnsafeTaps(offsets: plan.singleTap.pointer, count: 1, run: projection.depth)
        forEachRange(of: pieces * images.count, atLeast: 1) { range, slot in
            let gated = scratch.floats(
                gatesWeights ? projection.packedCount : Self.gatedPixels * stride, slot: slot)
            for unit in range {
                let (tensors, gate) = images[unit / pieces]
                let piece = unit % pieces
                let part = piece * pixels / pieces..<(piece + 1) * pixels / pieces
                let inner = tensors.inner + part.lowerBound * stride
                timed(.squeeze, slot: slot) {
                    if !gatesWeights {
                        plan.table.scaleColumnsUnsafe(
                            inner, stride: stride, width: part.count, vectors: segment.depthwise!.vectors, by: gate,
                            into: gated)
                    } else if piece == 0 || unit == range.lowerBound {
                        projection.gateUnsafe(by: gate, into: gated)
                    }
                }
                let at = part.lowerBound * outStride
                timed(.projection, slot: slot) {
                    projection.multiplyUnsafe(
                        UnsafeStridedRows(gatesWeights ? inner : gated, stride: stride), taps: taps,
                        into: UnsafeRows(tensors.output + at, segment.outputOffsets.pointer),
                        residual: segment.hasResidual
                            ? UnsafeRows(tensors.input + at, segment.outputOffsets.pointer) : nil,
                        rows: part.count, activation: .none, gated: gatesWeights ? UnsafePointer(gated) : nil)
                }
            }
        }
    }

    /// Pixels that a projection takes at once where its columns are shared out too.
    private static let projectedPixels = 64

    /// Projects the stored inner tensors, cut by pixels and by output channels.
    private func project(_ segment: SegmentPlan, _ images: [Tensors]) {
        let projection = segment.projection!
        let (stride, outStride) = (segment.middle.stride, segment.output.stride)
        let pixels = segment.innerPixels
        let pieces = scope.pieces(of: pixels, atMost: Self.projectedPixels)
        let width = scope.width
        let groups = projection.groups(atMost: width == 1 ? 1 : max(1, 4 * width / (pieces * images.count)))
        let taps = UnsafeTaps(offsets: plan.singleTap.pointer, count: 1, run: projection.depth)
        scope.forEach(groups.count * pieces * images.count) { task, slot in
            let group = groups[task / (pieces * images.count)]
            let unit = task % (pieces * images.count)
            let tensors = images[unit / pieces]
            let piece = unit % pieces
            let part = piece * pixels / pieces..<(piece + 1) * pixels / pieces
            let at = part.lowerBound * outStride + group.first * plan.table.vectorWidth
            timed(.projection, slot: slot) {
                projection.multiplyUnsafe(
                    UnsafeStridedRows(tensors.inner + part.lowerBound * stride, stride: stride), taps: taps,
                    into: UnsafeRows(tensors.output + at, segment.outputOffsets.pointer),
                    residual: segment.hasResidual
                        ? UnsafeRows(tensors.input + at, segment.outputOffsets.pointer) : nil,
                    rows: part.count, group: group, activation: .none)
            }
        }
    }
}
