import CImageCodecs
import Tensors

/// Resizes a picture whose rows come one after the other, without ever holding it in full: a ring keeps as many rows as
/// one output needs, and outputs are made as soon as their last row is there.
///
/// The two passes come in either order, since the rounding between them shows: along the rows first, and the ring keeps
/// results of that; or across the rows first, and the ring keeps rows as they came.
///
/// Numerics: equal to Pillow's `resize`, to the bit.
struct StreamingResampler: ~Copyable, @unchecked Sendable {  // unique owner of its scratch
    private(set) var columns = AxisTaps()
    private(set) var rows = AxisTaps()
    private var blendsRowsFirst = false
    private var emitsBackwards = false
    private var emittedCount = 0
    private var inputByteCount = 0

    // The weights of both passes, in the order in which they read them.
    private var packedColumns = AlignedBuffer<Int32>(count: 0)
    private var packedRows = AlignedBuffer<Int32>(count: 0)
    private var ring = AlignedBuffer<UInt8>(count: 0)
    private var ringRowCount = 0
    private var ringStride = 0
    private var blended = AlignedBuffer<UInt8>(count: 0)
    private var line = AlignedBuffer<UInt8>(count: 0)
    private var tapRows: [UnsafePointer<UInt8>?] = []
    private let kernels: cic_resample_kernels

    /// - Precondition: this machine has the instruction set.
    init(isa: cic_isa = StreamingResampler.bestISA) {
        var kernels = cic_resample_kernels()
        precondition(cic_resample_kernels_for(isa, &kernels), "instruction set \(isa) is missing")
        self.kernels = kernels
    }

    /// The instruction sets that this machine has, the plainest first.
    static let availableISAs: [cic_isa] = (0..<CIC_ISA_COUNT.rawValue).map { cic_isa($0) }.filter {
        var kernels = cic_resample_kernels()
        return cic_resample_kernels_for($0, &kernels)
    }

    static let bestISA = availableISAs.last!

    /// Computes the taps for a picture; `columns` and `rows` then tell which part of it is needed.
    mutating func plan(
        columns columnAxis: AxisTaps.Axis, rows rowAxis: AxisTaps.Axis, blendsRowsFirst: Bool, filter: ResamplingFilter
    ) {
        let tapMultiple = Int(kernels.tap_multiple)
        if columns.compute(columnAxis, filter: filter, tapMultiple: tapMultiple) {
            let outputs = Int(CIC_RESAMPLE_OUTPUTS)
            let paddedCount = (columns.first.count + outputs - 1) / outputs * outputs
            packedColumns.grow(to: paddedCount * columns.tapCount * Int(CIC_RESAMPLE_PACKED))
            kernels.pack_horizontal(
                packedColumns.pointer, columns.weights, Int32(columns.tapCount), Int32(columns.first.count))
        }
        if rows.compute(rowAxis, filter: filter, tapMultiple: tapMultiple) {
            packedRows.grow(to: rows.first.count * rows.tapCount)
            kernels.pack_vertical(packedRows.pointer, rows.weights, Int32(rows.tapCount), Int32(rows.first.count))
        }
        self.blendsRowsFirst = blendsRowsFirst
        emitsBackwards = rowAxis.isMirrored
    }

    /// Makes ready for rows that hold `window`, columns of the picture that was planned for.
    mutating func begin(window: Range<Int>) {
        columns.rebase(to: window.lowerBound)
        emittedCount = 0
        inputByteCount = window.count * 4
        ringRowCount = rows.tapCount
        ringStride = blendsRowsFirst ? inputByteCount : outputByteCount + CIC_RESAMPLE_SLACK
        ring.grow(to: ringRowCount * ringStride)
        if blendsRowsFirst {
            blended.grow(to: inputByteCount + rowSlack)
            line.grow(to: outputByteCount + CIC_RESAMPLE_SLACK)
        }
    }

    /// Units: bytes. How much memory behind a row must be readable.
    var rowSlack: Int { columns.tapCount * 4 }

    private var outputByteCount: Int { columns.first.count * 3 }

    /// Takes the next row and writes the outputs that it completes.
    ///
    /// Shapes: `row` `[window, 4] u8`; `output` `[rows, columns, 3] u8` with gaps to `outputStride` bytes.
    mutating func push(
        _ row: UnsafePointer<UInt8>, at rowIndex: Int, output: UnsafeMutablePointer<UInt8>, outputStride: Int
    ) {
        let slot = ring.pointer + rowIndex % ringRowCount * ringStride
        if blendsRowsFirst {
            slot.update(from: row, count: inputByteCount)
        } else {
            blendAlong(row, into: slot)
        }
        while emittedCount < rows.first.count {
            let index = emitsBackwards ? rows.first.count - 1 - emittedCount : emittedCount
            guard rows.end(of: index) <= rowIndex + 1 else { return }
            emit(index, to: output + index * outputStride)
            emittedCount += 1
        }
    }

    private mutating func emit(_ index: Int, to output: UnsafeMutablePointer<UInt8>) {
        if blendsRowsFirst {
            blendAcross(index, byteCount: inputByteCount, into: blended.pointer)
            blendAlong(blended.pointer, into: line.pointer)
            output.update(from: line.pointer, count: outputByteCount)
        } else {
            blendAcross(index, byteCount: outputByteCount, into: output)
        }
    }

    /// Writes up to `CIC_RESAMPLE_SLACK` bytes more than `outputByteCount`.
    private func blendAlong(_ row: UnsafePointer<UInt8>, into output: UnsafeMutablePointer<UInt8>) {
        kernels.horizontal(
            output, row, columns.first, packedColumns.pointer, Int32(columns.tapCount), Int32(columns.first.count))
    }

    private mutating func blendAcross(_ index: Int, byteCount: Int, into output: UnsafeMutablePointer<UInt8>) {
        tapRows.removeAll(keepingCapacity: true)
        for row in Int(rows.first[index])..<rows.end(of: index) {
            tapRows.append(UnsafePointer(ring.pointer + row % ringRowCount * ringStride))
        }
        kernels.vertical(
            output, tapRows, packedRows.pointer + index * rows.tapCount, Int32(tapRows.count), byteCount)
    }
}

extension AlignedBuffer {
    /// Makes room for `count` elements; what was there is lost when that takes a new buffer.
    mutating func grow(to count: Int) {
        if self.count < count { self = AlignedBuffer(count: count) }
    }
}
