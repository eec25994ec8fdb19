import CKernels

/// Bytes that a product reads: row i starts `offsets[i]` bytes behind `pointer`, and the next group of four inputs of a
/// row's run lies `groupStep` bytes further.
public struct UnsafeByteRows {
    public var pointer: UnsafePointer<UInt8>
    public var offsets: UnsafePointer<UInt32>
    /// 4 where a pixel's channels lie side by side, 4 · `KernelTable.blockColumns` in the blocks that a depthwise
    /// convolution writes.
    public var groupStep: Int

    public init(_ pointer: UnsafePointer<UInt8>, _ offsets: UnsafePointer<UInt32>, groupStep: Int = 4) {
        self.pointer = pointer
        self.offsets = offsets
        self.groupStep = groupStep
    }
}

/// Where rows of results go: row i at `pointer + offsets[i]`.
public struct UnsafeByteResults {
    public var pointer: UnsafeMutablePointer<UInt8>
    public var offsets: UnsafePointer<UInt32>

    public init(_ pointer: UnsafeMutablePointer<UInt8>, _ offsets: UnsafePointer<UInt32>) {
        self.pointer = pointer
        self.offsets = offsets
    }
}

extension PackedByteMatrix {
    @inline(__always)
    private func product(
        _ a: UnsafePointer<UInt8>, taps: UnsafePointer<UInt32>, groupStep: Int, group: (first: Int, vectors: Int)?
    ) -> u8_product {
        // AMX reads nothing else; a matrix that is too shallow for it reads both.
        precondition(table.blockColumns == 4 || groupStep == 4, "blocks of four columns for AMX")
        return u8_product(
            a: a, tap_offset: taps, taps: self.taps, groups: groups, group_step: groupStep,
            b: panel(startingAt: group?.first ?? 0), vectors: group?.vectors ?? vectors, activation: activation.raw,
            fetches_ahead: fetchesAhead ? 1 : 0, next: following(group))
    }

    /// Rows of a picture into columns for a depthwise convolution, for the columns of `group`.
    ///
    /// Row y's pixels start at `a + y · rowPitch`, `pixelStep` bytes apart; they go to `rows[y]`, vector v of the
    /// group `vectorPitch` bytes behind vector v - 1. What a last group of columns lacks becomes `padding`.
    @inline(__always)
    public func multiplyIntoColumnsUnsafe(
        _ a: UnsafePointer<UInt8>, rowPitch: Int, pixelStep: Int, taps: UnsafePointer<UInt32>, height: Int, width: Int,
        into rows: UnsafePointer<UnsafeMutablePointer<UInt8>?>, vectorPitch: Int, padding: UInt8,
        group: (first: Int, vectors: Int)? = nil
    ) {
        var arguments = u8_columns(
            product: product(a, taps: taps, groupStep: 4, group: group), height: height, width: width,
            a_row_pitch: rowPitch, a_column_pitch: pixelStep, out: rows, vector_pitch: vectorPitch, padding: padding)
        table.bytes.pointee.gemm_columns(&arguments)
    }

    /// `rows` rows into pixels, with a residual added, for the columns of `group`; results and residual point to column 0
    /// of the group. Whole vectors are written.
    @inline(__always)
    public func multiplyUnsafe(
        _ a: UnsafeByteRows, taps: UnsafePointer<UInt32>, into results: UnsafeByteResults,
        residual: UnsafeByteResults? = nil, rows: Int, group: (first: Int, vectors: Int)? = nil
    ) {
        var arguments = u8_pixels(
            product: product(a.pointer, taps: taps, groupStep: a.groupStep, group: group), a_offset: a.offsets,
            out: results.pointer, out_offset: results.offsets, residual: residual?.pointer,
            residual_offset: residual?.offsets,
            m: rows)
        table.bytes.pointee.gemm_pixels(&arguments)
    }

    /// `rows` rows into floats, for the columns of `group`; results point to column 0 of the group.
    @inline(__always)
    public func multiplyUnsafe(
        _ a: UnsafeByteRows, taps: UnsafePointer<UInt32>, into results: UnsafeRows, rows: Int,
        group: (first: Int, vectors: Int)? = nil
    ) {
        var arguments = u8_floats(
            product: product(a.pointer, taps: taps, groupStep: a.groupStep, group: group), a_offset: a.offsets,
            out: results.pointer, out_offset: results.offsets, m: rows)
        table.bytes.pointee.gemm_floats(&arguments)
    }
}

extension PackedByteDepthwise {
    /// One output row of `width` columns from the `kernel` rows of columns at `inputRows`, for channels of `group`.
    ///
    /// Each input row points to the group of column 0 of the group's first vector, `out` to block 0 of that vector;
    /// `sums`, where given, gets the row's sums of bytes added, a number a channel of the group.
    @inline(__always)
    public func convolveRowUnsafe(
        _ inputRows: UnsafePointer<UnsafePointer<UInt8>?>, vectorPitch: Int, into out: UnsafeMutablePointer<UInt8>,
        blockPitch: Int, width: Int, group: (first: Int, vectors: Int), sums: UnsafeMutablePointer<Int32>? = nil
    ) {
        var arguments = u8_depthwise(
            rows: inputRows, vector_pitch: vectorPitch, weights: block(at: group.first), out: out,
            out_block_pitch: blockPitch, width: width, vectors: group.vectors, kernel: kernel, stride: stride,
            left: left, activation: activation.raw, sums: sums)
        table.bytes.pointee.depthwise(&arguments)
    }
}

extension KernelTable {
    /// Calls `body` with the first vector and the number of vectors of every panel of a matrix in bytes.
    func forEachBytePanel(of vectorCount: Int, _ body: (_ firstVector: Int, _ vectors: Int) -> Void) {
        var first = 0
        while first < vectorCount {
            let vectors = bytes.pointee.panel_vectors(vectorCount - first)
            body(first, vectors)
            first += vectors
        }
    }

    /// A row of pixels into columns.
    @inline(__always)
    public func copyIntoColumnsUnsafe(
        _ pixels: UnsafePointer<UInt8>, pixelStride: Int, width: Int, vectors: Int,
        into row: UnsafeMutablePointer<UInt8>,
        vectorPitch: Int, padding: UInt8
    ) {
        bytes.pointee.pixels_to_columns(pixels, pixelStride, width, vectors, row, vectorPitch, padding)
    }

    /// sums[c] += Σ pixels[i][c].
    @inline(__always)
    public func addPixelsUnsafe(
        _ pixels: UnsafePointer<UInt8>, pixelStride: Int, count: Int, channels: Int,
        to sums: UnsafeMutablePointer<Int32>
    ) {
        bytes.pointee.pixel_sums(pixels, pixelStride, count, channels, sums)
    }

    /// Blocks of `channels` channels: byte = saturate(round((byte - zeroPoint) · gate[c] + addend)).
    @inline(__always)
    public func gateBlocksUnsafe(
        _ blocks: UnsafePointer<UInt8>, count: Int, channels: Int, gate: UnsafePointer<Float>, zeroPoint: Int32,
        addend: Float, into out: UnsafeMutablePointer<UInt8>
    ) {
        bytes.pointee.gate_blocks(blocks, count, channels, gate, zeroPoint, addend, out)
    }

    /// out[n] = bias[n] + Σ input[k] · weights[k][n], each operation rounded by itself, k ascending.
    /// - Precondition: `columns` is a multiple of 16.
    @inline(__always)
    public func denseRowUnsafe(
        _ input: UnsafePointer<Float>, depth: Int, weights: UnsafePointer<Float>, bias: UnsafePointer<Float>,
        columns: Int, into out: UnsafeMutablePointer<Float>
    ) {
        bytes.pointee.dense_row(input, depth, bias, weights, columns, out)
    }

    /// Does `iterations` rounds of independent dot products in registers and gives the number of operations (a
    /// multiply-add counts two).
    public func dotProductChains(iterations: Int) -> Int {
        var sink: [Int32] = [0x0102_0304, 0x0101_0101, 0]
        return Int(bytes.pointee.dot_chains(iterations, &sink))
    }
}
