import CImageCodecs
import Tensors

/// Resizes a picture whose rows come one after the other: each is resampled along its length as it comes and kept in a
/// ring, from which the outputs are made as soon as their last row is there. The picture is never held in full.
///
/// Numerics: equal to Pillow's `resize` with `reducing_gap=None`, to the bit.
struct StreamingResampler: ~Copyable, @unchecked Sendable {  // unique owner of its scratch
    var columns = AxisTaps()
    var rows = AxisTaps()
    private var ring = AlignedBuffer<UInt8>(count: 0)
    private var ringRowCount = 0
    private var ringStride = 0
    private var tapRows: [UnsafePointer<UInt8>?] = []
    private var emittedCount = 0
    private var emitsBackwards = false
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

    /// Sets up for a picture.
    mutating func begin(columns columnAxis: AxisTaps.Axis, rows rowAxis: AxisTaps.Axis, filter: ResamplingFilter) {
        columns.compute(columnAxis, filter: filter, tapMultiple: Int(kernels.tap_multiple), copies: 4)
        rows.compute(rowAxis, filter: filter, tapMultiple: 1, copies: 1)
        emitsBackwards = rowAxis.isMirrored
        emittedCount = 0
        ringRowCount = rows.tapCount
        ringStride = columns.first.count * 3 + 1
        if ring.count < ringRowCount * ringStride { ring = AlignedBuffer(count: ringRowCount * ringStride) }
    }

    /// Units: bytes. How much memory behind a row must be readable.
    var rowSlack: Int { columns.tapCount * 4 }

    /// Takes the next row and writes the outputs that it completes.
    ///
    /// Shapes: `row` `[*, 4] u8`, counted as `columns` does; `output` `[rows, columns, 3] u8`.
    mutating func push(
        _ row: UnsafePointer<UInt8>, at rowIndex: Int, output: UnsafeMutablePointer<UInt8>, outputStride: Int
    ) {
        kernels.horizontal(
            ring.pointer + rowIndex % ringRowCount * ringStride, row, columns.first, columns.weights,
            Int32(columns.tapCount), Int32(columns.first.count))
        while emittedCount < rows.first.count {
            let index = emitsBackwards ? rows.first.count - 1 - emittedCount : emittedCount
            guard rows.end(of: index) <= rowIndex + 1 else { return }
            emit(index, to: output + index * outputStride)
            emittedCount += 1
        }
    }

    private mutating func emit(_ index: Int, to output: UnsafeMutablePointer<UInt8>) {
        tapRows.removeAll(keepingCapacity: true)
        for row in Int(rows.first[index])..<rows.end(of: index) {
            tapRows.append(UnsafePointer(ring.pointer + row % ringRowCount * ringStride))
        }
        rows.weights.withUnsafeBufferPointer { weights in
            kernels.vertical(
                output, tapRows, weights.baseAddress! + index * rows.tapCount, Int32(tapRows.count),
                columns.first.count * 3)
        }
    }
}
