import Kernels
import Parallelism

extension ByteExecution {
    /// Computes a segment of each of `images`.
    ///
    /// On large pictures a task makes a range of output rows, image by image; on small ones a slice of the inner channels
    /// of all images, so that weights are read once for the whole batch. Where the blocks between are stored, a second
    /// round of tasks projects them.
    func run(_ segment: ByteSegmentPlan, _ images: [Tensors]) {
        if segment.isSliced {
            scope.forEach(segment.slices.count) { task, slot in
                makeRows(segment, images, 0..<segment.output.height, slice: segment.slices[task], slot: slot)
            }
        } else {
            for tensors in images {
                forEachRange(of: segment.output.height, atLeast: 2) { rows, slot in
                    if segment.depthwise == nil {
                        makeDenseRows(segment, tensors, rows, slot: slot)
                    } else {
                        makeRows(segment, [tensors], rows, slice: segment.slices[0], slot: slot)
                    }
                }
            }
        }
        if segment.squeeze != nil {
            for tensors in images { excite(segment, tensors) }
        }
        if segment.storesInner { projectStored(segment, images) }
    }

    /// Output rows `rows` of the inner channels of `slice` of each picture: front, depthwise convolution, and the
    /// projection where the blocks are not stored.
    private func makeRows(
        _ segment: ByteSegmentPlan, _ images: [Tensors], _ rows: Range<Int>, slice: (first: Int, vectors: Int),
        slot: Int
    ) {
        let depthwise = segment.depthwise!
        let (kernel, stride) = (depthwise.kernel, depthwise.stride)
        let middle = segment.middle
        let groupSize = 4 * table.vectorWidth
        let vectorPitch = segment.middleGroups * groupSize
        let rowPitch = slice.vectors * vectorPitch
        let rowsAtOnce = min(segment.rowsAtOnce, rows.count)
        let ringRows = (rowsAtOnce - 1) * stride + kernel
        let innerSize = segment.storesInner ? 0 : rowsAtOnce * segment.innerRowPitch
        withScratch((ringRows + 1) * rowPitch + innerSize + 8 * (ringRows + kernel), slot: slot) { cursor in
            let ring = cursor.take((ringRows + 1) * rowPitch, of: UInt8.self)
            ring.update(repeating: segment.middleZeroPoint, count: (ringRows + 1) * rowPitch)
            let outside = ring + ringRows * rowPitch + groupSize
            let inner = cursor.take(innerSize, of: UInt8.self)
            let produced = cursor.take(ringRows, of: UnsafeMutablePointer<UInt8>?.self)
            let reached = cursor.take(kernel, of: UnsafePointer<UInt8>?.self)
            for tensors in images {
                var next = max(0, rows.lowerBound * stride - segment.top)
                for first in Swift.stride(from: rows.lowerBound, to: rows.upperBound, by: rowsAtOnce) {
                    let end = min(first + rowsAtOnce, rows.upperBound)
                    let needed = min(middle.height, (end - 1) * stride - segment.top + kernel)
                    if needed > next {
                        for y in next..<needed { produced[y - next] = ring + y % ringRows * rowPitch + groupSize }
                        makeMiddleRows(
                            segment, tensors, next..<needed, slice: slice, into: produced, vectorPitch: vectorPitch)
                        next = needed
                    }
                    for row in first..<end {
                        for ky in 0..<kernel {
                            let y = row * stride - segment.top + ky
                            reached[ky] = UnsafePointer(
                                y >= 0 && y < middle.height ? ring + y % ringRows * rowPitch + groupSize : outside)
                        }
                        let base =
                            segment.storesInner
                            ? tensors.inner + row * segment.innerRowPitch
                            : inner + (row - first) * segment.innerRowPitch
                        let sums = segment.squeeze.map { _ in
                            tensors.sums + row * segment.sumsPitch + slice.first * table.vectorWidth
                        }
                        sums?.update(repeating: 0, count: slice.vectors * table.vectorWidth)
                        depthwise.convolveRowUnsafe(
                            reached, vectorPitch: vectorPitch,
                            into: base + slice.first * table.vectorWidth * table.blockColumns,
                            blockPitch: segment.blockPitch, width: segment.output.width, group: slice, sums: sums)
                    }
                    if !segment.storesInner {
                        project(segment, tensors, from: inner, rows: first..<end, group: nil)
                    }
                }
            }
        }
    }

    /// Rows `rows` of what the depthwise convolution reads, of the channels of `slice`.
    private func makeMiddleRows(
        _ segment: ByteSegmentPlan, _ tensors: Tensors, _ rows: Range<Int>, slice: (first: Int, vectors: Int),
        into destination: UnsafePointer<UnsafeMutablePointer<UInt8>?>, vectorPitch: Int
    ) {
        let middle = segment.middle
        guard let front = segment.front else {
            let inputPitch = segment.input.width * segment.input.stride
            for y in rows {
                table.copyIntoColumnsUnsafe(
                    tensors.input + y * inputPitch + slice.first * table.vectorWidth,
                    pixelStride: segment.input.stride, width: middle.width, vectors: slice.vectors,
                    into: destination[y - rows.lowerBound]!, vectorPitch: vectorPitch,
                    padding: segment.middleZeroPoint)
            }
            return
        }
        let rowPitch = front.stride * front.rowPitch
        front.matrix.multiplyIntoColumnsUnsafe(
            tensors.input + rows.lowerBound * rowPitch, rowPitch: rowPitch, pixelStep: front.pixelStep,
            taps: front.taps.pointer, height: rows.count, width: middle.width, into: destination,
            vectorPitch: vectorPitch, padding: segment.middleZeroPoint, group: slice)
    }

    /// Rows of a segment without a depthwise convolution: a dense one, then perhaps a projection.
    private func makeDenseRows(_ segment: ByteSegmentPlan, _ tensors: Tensors, _ rows: Range<Int>, slot: Int) {
        guard let front = segment.front else { preconditionFailure("a segment of nothing") }
        let (input, middle) = (segment.input, segment.middle)
        let isPicture = tensors.input == image
        let rowsAtOnce = min(segment.rowsAtOnce, rows.count)
        let copiedRows = (rowsAtOnce - 1) * front.stride + front.kernel
        let copySize = isPicture || front.isPointwise ? 0 : copiedRows * front.rowPitch
        let middleSize = segment.projection == nil ? 0 : rowsAtOnce * middle.width * middle.stride
        withScratch(copySize + middleSize + 4 * middle.width * rowsAtOnce, slot: slot) { cursor in
            let copies = cursor.take(copySize, of: UInt8.self)
            let made = cursor.take(middleSize, of: UInt8.self)
            let offsets = cursor.take(middle.width * rowsAtOnce, of: UInt32.self)
            for row in 0..<rowsAtOnce {
                for x in 0..<middle.width {
                    offsets[row * middle.width + x] = UInt32(row * front.stride * front.rowPitch + x * front.pixelStep)
                }
            }
            for first in Swift.stride(from: rows.lowerBound, to: rows.upperBound, by: rowsAtOnce) {
                let count = min(rowsAtOnce, rows.upperBound - first)
                var source = UnsafePointer(tensors.input + first * front.stride * front.rowPitch)
                if copySize > 0 {
                    copyPadded(
                        segment, front, tensors, fromRow: first * front.stride - front.top, into: copies,
                        rows: copiedRows)
                    source = UnsafePointer(copies)
                }
                let pixels = count * middle.width
                let at = first * middle.width * segment.output.stride
                let residual =
                    segment.hasResidual
                    ? UnsafeByteResults(
                        tensors.input + first * middle.width * input.stride, segment.outputOffsets.pointer) : nil
                front.matrix.multiplyUnsafe(
                    UnsafeByteRows(source, offsets), taps: front.taps.pointer,
                    into: segment.projection == nil
                        ? UnsafeByteResults(tensors.output + at, segment.outputOffsets.pointer)
                        : UnsafeByteResults(made, segment.middleOffsets.pointer),
                    residual: segment.projection == nil ? residual : nil, rows: pixels)
                segment.projection?.multiplyUnsafe(
                    UnsafeByteRows(made, segment.middleOffsets.pointer), taps: plan.singleTap.pointer,
                    into: UnsafeByteResults(tensors.output + at, segment.outputOffsets.pointer), residual: residual,
                    rows: pixels)
            }
        }
    }

    /// A copy of the input's rows from `fromRow` on with the padding that the front's taps reach.
    private func copyPadded(
        _ segment: ByteSegmentPlan, _ front: ByteFrontPlan, _ tensors: Tensors, fromRow: Int,
        into copies: UnsafeMutablePointer<UInt8>, rows: Int
    ) {
        let input = segment.input
        let inputPitch = input.width * input.stride
        for row in 0..<rows {
            let to = copies + row * front.rowPitch
            to.update(repeating: segment.inputZeroPoint, count: front.rowPitch)
            let y = fromRow + row
            guard y >= 0 && y < input.height else { continue }
            (to + front.left * input.stride).update(from: tensors.input + y * inputPitch, count: inputPitch)
        }
    }

    /// mean, squeezed channels and gate of one picture, from the sums of its rows.
    private func excite(_ segment: ByteSegmentPlan, _ tensors: Tensors) {
        let squeeze = segment.squeeze!
        let channels = segment.middle.channels
        let pitch = segment.sumsPitch
        for row in 1..<max(1, segment.output.height) {
            for c in 0..<channels { tensors.sums[c] += tensors.sums[row * pitch + c] }
        }
        let mean = meanOf(segment, tensors)
        for c in 0..<channels { mean[c] = squeeze.mean.real(Int(tensors.sums[c]), channel: c) }
        let squeezed = mean + max(pitch, channelStride(channels))
        let gate = gateOf(segment, tensors)
        squeeze.reduce.applyUnsafe(mean, into: squeezed, table: table)
        squeeze.expand.applyUnsafe(squeezed, into: gate, table: table)
        for c in 0..<channels { gate[c] *= squeeze.gate.ratios[c] }
    }

    private func meanOf(_ segment: ByteSegmentPlan, _ tensors: Tensors) -> UnsafeMutablePointer<Float> {
        UnsafeMutableRawPointer(tensors.sums + segment.output.height * segment.sumsPitch)
            .assumingMemoryBound(to: Float.self)
    }

    private func gateOf(_ segment: ByteSegmentPlan, _ tensors: Tensors) -> UnsafeMutablePointer<Float> {
        meanOf(segment, tensors) + 2 * max(segment.sumsPitch, channelStride(segment.middle.channels))
    }

    /// Pixels that a projection of stored blocks takes at once.
    private static let projectedPixels = 64

    /// Projects the stored blocks, with the gate put on where there is one, cut by rows and by output channels.
    private func projectStored(_ segment: ByteSegmentPlan, _ images: [Tensors]) {
        let output = segment.output
        let pieces = scope.pieces(of: output.height, atMost: max(1, Self.projectedPixels / output.width))
        let units = pieces * images.count
        let width = scope.width
        let groups = segment.projection!.groups(
            atMost: width == 1 || segment.squeeze != nil ? 1 : max(1, 4 * width / units))
        scope.forEach(groups.count * units) { task, slot in
            let tensors = images[task % units / pieces]
            let piece = task % pieces
            let rows = piece * output.height / pieces..<(piece + 1) * output.height / pieces
            let blocks = tensors.inner + rows.lowerBound * segment.innerRowPitch
            guard let squeeze = segment.squeeze else {
                project(segment, tensors, from: blocks, rows: rows, group: groups[task / units])
                return
            }
            let size = rows.count * segment.innerRowPitch
            withScratch(size, slot: slot) { cursor in
                let gated = cursor.take(size, of: UInt8.self)
                table.gateBlocksUnsafe(
                    blocks, count: rows.count * segment.blocks, channels: segment.blockPitch / table.blockColumns,
                    gate: gateOf(segment, tensors), zeroPoint: squeeze.gate.inputZeroPoint,
                    addend: squeeze.gate.zeroPoint, into: gated)
                project(segment, tensors, from: gated, rows: rows, group: groups[task / units])
            }
        }
    }

    /// Projects rows of blocks that start at `blocks`.
    private func project(
        _ segment: ByteSegmentPlan, _ tensors: Tensors, from blocks: UnsafeMutablePointer<UInt8>, rows: Range<Int>,
        group: (first: Int, vectors: Int)?
    ) {
        let output = segment.output
        let at = rows.lowerBound * output.width * output.stride + (group?.first ?? 0) * table.vectorWidth
        segment.projection!.multiplyUnsafe(
            UnsafeByteRows(blocks, segment.blockOffsets.pointer, groupStep: 4 * table.blockColumns),
            taps: plan.singleTap.pointer,
            into: UnsafeByteResults(tensors.output + at, segment.outputOffsets.pointer),
            residual: segment.hasResidual
                ? UnsafeByteResults(tensors.input + at, segment.outputOffsets.pointer) : nil,
            rows: rows.count * output.width, group: group)
    }
}
