import Kernels
import Parallelism

/// Segments on large pictures: a task makes a range of output rows and keeps what lies between front and projection in
/// a few rows of scratch.
extension Execution {
    func runRows(_ segment: SegmentPlan, _ tensors: Tensors, rowsAtOnce: Int) {
        let height = segment.output.height
        let unit = segment.front?.rowUnit ?? 1
        forEachRange(of: (height + unit - 1) / unit, atLeast: 2 / unit) { units, slot in
            let rows = units.lowerBound * unit..<min(units.upperBound * unit, height)
            var cursor = ScratchCursor(scratch.floats(segment.rowScratchSize(rowsAtOnce), slot: slot))
            if segment.depthwise == nil {
                makeRows(segment, tensors, rows, rowsAtOnce: rowsAtOnce, slot: slot, &cursor)
            } else {
                makeRowsThroughDepthwise(segment, tensors, rows, rowsAtOnce: rowsAtOnce, slot: slot, &cursor)
            }
        }
        guard segment.squeeze != nil else { return }
        let stride = segment.middle.stride
        let mean = tensors.sums + segment.output.height * stride
        timed(.squeeze, slot: scope.slot) {
            average(segment, rowSums: tensors.sums, rows: segment.output.height, into: mean)
            excite(segment, mean: mean, squeezed: mean + stride, gate: mean + 2 * stride)
        }
        projectGated(segment, [(tensors, mean + 2 * stride)])
    }

    /// Rows of a segment without a depthwise convolution: a dense one, then perhaps a projection.
    private func makeRows(
        _ segment: SegmentPlan, _ tensors: Tensors, _ rows: Range<Int>, rowsAtOnce: Int, slot: Int,
        _ cursor: inout ScratchCursor
    ) {
        let (width, stride) = (segment.middle.width, segment.middle.stride)
        let outPitch = segment.output.width * segment.output.stride
        let residual = segment.hasResidual ? tensors.input : nil
        let middle = segment.projection == nil ? nil : cursor.take(rowsAtOnce * width * stride)
        for first in Swift.stride(from: rows.lowerBound, to: rows.upperBound, by: rowsAtOnce) {
            let chunk = first..<min(first + rowsAtOnce, rows.upperBound)
            var copies = cursor
            timed(.front, slot: slot) {
                let residual = middle == nil ? residual : nil
                if let winograd = segment.front?.winograd {
                    makeWinogradRows(
                        segment, winograd, tensors, chunk, into: middle ?? tensors.output + first * outPitch,
                        residual: residual.map { $0 + first * outPitch }, &copies)
                } else {
                    makeMiddleRows(segment, tensors, chunk, residual: residual, &copies) { y in
                        middle.map { $0 + (y - first) * width * stride } ?? tensors.output + y * outPitch
                    }
                }
            }
            if let middle {
                timed(.projection, slot: slot) {
                    project(
                        segment, from: middle, pixels: chunk.count * width, firstPixel: first * width, tensors: tensors)
                }
            }
        }
    }

    /// Rows of a segment with a depthwise convolution, whose input rows stay in a ring.
    private func makeRowsThroughDepthwise(
        _ segment: SegmentPlan, _ tensors: Tensors, _ rows: Range<Int>, rowsAtOnce: Int, slot: Int,
        _ cursor: inout ScratchCursor
    ) {
        let depthwise = segment.depthwise!
        let (kernel, stride) = (depthwise.kernel, segment.depthwiseStride)
        let middle = segment.middle
        let pitch = segment.paddedWidth * middle.stride
        let ringRows = (rowsAtOnce - 1) * stride + kernel
        let ring = cursor.take(ringRows * pitch)
        for row in 0..<ringRows {
            (ring + row * pitch).update(repeating: 0, count: segment.left * middle.stride)
            let end = (segment.left + middle.width) * middle.stride
            (ring + row * pitch + end).update(repeating: 0, count: pitch - end)
        }
        let outWidth = segment.output.width
        let innerPitch = outWidth * middle.stride
        let inner = segment.storesInner ? nil : cursor.take(rowsAtOnce * innerPitch)
        withUnsafeTemporaryAllocation(of: UnsafePointer<Float>?.self, capacity: ringRows) { inputRows in
            var produced = max(0, rows.lowerBound * stride - segment.top)
            for first in Swift.stride(from: rows.lowerBound, to: rows.upperBound, by: rowsAtOnce) {
                let end = min(first + rowsAtOnce, rows.upperBound)
                let needed = min(middle.height, (end - 1) * stride - segment.top + kernel)
                if needed > produced {
                    var copies = cursor
                    timed(.front, slot: slot) {
                        makeMiddleRows(segment, tensors, produced..<needed, residual: nil, &copies) { y in
                            ring + y % ringRows * pitch + segment.left * middle.stride
                        }
                    }
                    produced = needed
                }
                for row in 0..<(end - first - 1) * stride + kernel {
                    let y = first * stride - segment.top + row
                    inputRows[row] =
                        y >= 0 && y < middle.height ? UnsafePointer(ring + y % ringRows * pitch) : plan.zeroRow.pointer
                }
                let out = inner ?? tensors.inner + first * innerPitch
                timed(.depthwise, slot: slot) {
                    depthwise.convolveRowsUnsafe(
                        inputRows.baseAddress!, columnStride: middle.stride, into: out, outStride: middle.stride,
                        outRowStride: innerPitch, width: outWidth, height: end - first, stride: stride,
                        activation: segment.depthwiseActivation)
                }
                if segment.squeeze != nil {
                    timed(.squeeze, slot: slot) {
                        for row in first..<end {
                            let sums = tensors.sums + row * middle.stride
                            sums.update(repeating: 0, count: middle.stride)
                            plan.table.addColumnsUnsafe(
                                out + (row - first) * innerPitch, stride: middle.stride, width: outWidth,
                                vectors: depthwise.vectors, to: sums)
                        }
                    }
                }
                if let inner {
                    timed(.projection, slot: slot) {
                        project(
                            segment, from: inner, pixels: (end - first) * outWidth, firstPixel: first * outWidth,
                            tensors: tensors)
                    }
                }
            }
        }
    }

    /// Rows `rows` of what the front makes, or of the input where there is no front.
    private func makeMiddleRows(
        _ segment: SegmentPlan, _ tensors: Tensors, _ rows: Range<Int>, residual: UnsafeMutablePointer<Float>?,
        _ cursor: inout ScratchCursor, destination: (_ y: Int) -> UnsafeMutablePointer<Float>
    ) {
        let input = segment.input
        let inputPitch = input.width * input.stride
        guard let front = segment.front else {
            for y in rows { destination(y).update(from: tensors.input + y * inputPitch, count: inputPitch) }
            return
        }
        var source = tensors.input
        var firstSourceRow = 0
        if !(plan.readsPicture && tensors.input == image) && !front.isPointwise {
            // A padded copy of the rows that the taps reach.
            firstSourceRow = rows.lowerBound * front.stride
            let count = (rows.count - 1) * front.stride + front.kernel
            source = cursor.take(count * front.rowPitch)
            for row in 0..<count {
                let to = source + row * front.rowPitch
                let y = firstSourceRow + row - front.top
                guard y >= 0 && y < input.height else {
                    to.update(repeating: 0, count: front.rowPitch)
                    continue
                }
                let start = front.left * input.stride
                to.update(repeating: 0, count: start)
                (to + start).update(from: tensors.input + y * inputPitch, count: inputPitch)
                (to + start + inputPitch).update(repeating: 0, count: front.rowPitch - start - inputPitch)
            }
        }
        let rowPitch = front.isPointwise ? inputPitch : front.rowPitch
        let taps = UnsafeTaps(offsets: front.taps.pointer, count: front.tapCount, run: front.run)
        let outPitch = segment.middle.width * segment.middle.stride
        for y in rows {
            front.matrix.multiplyUnsafe(
                UnsafeStridedRows(
                    source + (y * front.stride - firstSourceRow) * rowPitch, stride: front.stride * front.pixelStride),
                taps: taps, into: UnsafeRows(destination(y), segment.middleOffsets.pointer),
                residual: residual.map { UnsafeRows($0 + y * outPitch, segment.middleOffsets.pointer) },
                rows: segment.middle.width, activation: front.activation)
        }
    }

    /// Rows `rows` of what a front of Winograd's makes, one behind the other.
    /// - Precondition: the first is an even one.
    private func makeWinogradRows(
        _ segment: SegmentPlan, _ front: PackedWinograd, _ tensors: Tensors, _ rows: Range<Int>,
        into out: UnsafeMutablePointer<Float>, residual: UnsafePointer<Float>?, _ cursor: inout ScratchCursor
    ) {
        let (input, middle) = (segment.input, segment.middle)
        let rowCount = (rows.count + 1) / 2 * 2 + 2
        withUnsafeTemporaryAllocation(of: UnsafePointer<Float>?.self, capacity: rowCount) { inputRows in
            for row in 0..<rowCount {
                let y = rows.lowerBound + row - 1
                inputRows[row] =
                    y >= 0 && y < input.height
                    ? UnsafePointer(tensors.input + y * input.width * input.stride) : plan.zeroRow.pointer
            }
            front.convolveRowsUnsafe(
                inputRows.baseAddress!, columnStride: input.stride, into: out, residual: residual,
                outStride: middle.stride, outRowStride: middle.width * middle.stride, width: middle.width,
                height: rows.count, activation: segment.front!.activation,
                scratch: cursor.take(front.scratchSize(height: rows.count, width: middle.width)))
        }
    }

    /// Projects `pixels` pixels that lie one behind the other.
    private func project(
        _ segment: SegmentPlan, from inner: UnsafeMutablePointer<Float>, pixels: Int, firstPixel: Int, tensors: Tensors
    ) {
        let projection = segment.projection!
        let taps = UnsafeTaps(offsets: plan.singleTap.pointer, count: 1, run: projection.depth)
        var done = 0
        while done < pixels {
            let count = min(pixels - done, SegmentPlan.projectionRows)
            let at = (firstPixel + done) * segment.output.stride
            projection.multiplyUnsafe(
                UnsafeStridedRows(inner + done * segment.middle.stride, stride: segment.middle.stride), taps: taps,
                into: UnsafeRows(tensors.output + at, segment.outputOffsets.pointer),
                residual: segment.hasResidual ? UnsafeRows(tensors.input + at, segment.outputOffsets.pointer) : nil,
                rows: count, activation: .none)
            done += count
        }
    }
}

extension SegmentPlan {
    /// Scratch of a task that makes rows. Units: floats.
    func rowScratchSize(_ rowsAtOnce: Int) -> Int {
        let rounded = ScratchCursor.rounded
        let made = depthwise.map { (rowsAtOnce - 1) * depthwiseStride + $0.kernel } ?? rowsAtOnce
        let ring = rounded(made * paddedWidth * middle.stride)
        let inner = rounded(rowsAtOnce * output.width * middle.stride)
        let copies =
            front?.winograd.map { rounded($0.scratchSize(height: rowsAtOnce, width: middle.width)) }
            ?? front.map { rounded(((made - 1) * $0.stride + $0.kernel) * $0.rowPitch) } ?? 0
        return ring + inner + copies
    }
}
