import CKernels

/// What is applied to a sum before it is stored.
public enum KernelActivation: Sendable {
    case none, relu6, silu, sigmoid

    var raw: kernel_activation {
        switch self {
        case .none: KERNEL_ACTIVATION_NONE
        case .relu6: KERNEL_ACTIVATION_RELU6
        case .silu: KERNEL_ACTIVATION_SILU
        case .sigmoid: KERNEL_ACTIVATION_SIGMOID
        }
    }
}

/// Rows of a matrix at equal distances.
public struct UnsafeStridedRows {
    public var pointer: UnsafeMutablePointer<Float>
    /// Units: floats.
    public var stride: Int

    public init(_ pointer: UnsafeMutablePointer<Float>, stride: Int) {
        self.pointer = pointer
        self.stride = stride
    }
}

/// Where the rows of a matrix lie: row i at `pointer + offsets[i]`.
public struct UnsafeRows {
    public var pointer: UnsafeMutablePointer<Float>
    /// Units: floats.
    public var offsets: UnsafePointer<UInt32>

    public init(_ pointer: UnsafeMutablePointer<Float>, _ offsets: UnsafePointer<UInt32>) {
        self.pointer = pointer
        self.offsets = offsets
    }
}

/// The contiguous runs that one row's dot product reads.
public struct UnsafeTaps {
    /// Units: floats, from the row's start.
    public var offsets: UnsafePointer<UInt32>
    public var count: Int
    /// Floats in each run.
    public var run: Int

    public init(offsets: UnsafePointer<UInt32>, count: Int, run: Int) {
        self.offsets = offsets
        self.count = count
        self.run = run
    }
}

extension PackedMatrix {
    /// c = activation(a · b + bias) + residual, for `rows` rows and the columns of `group`.
    ///
    /// `c` and `residual` point to column 0 of the group. Whole vectors are written.
    /// - Parameter gated: what `gateUnsafe` made of this matrix, to be read instead of it.
    /// - Precondition: `group` is one of `groups(atMost:)`; the taps' runs add up to `depth`.
    @inline(__always)
    public func multiplyUnsafe(
        _ a: UnsafeStridedRows, taps: UnsafeTaps, into c: UnsafeRows, residual: UnsafeRows? = nil, rows: Int,
        group: (first: Int, vectors: Int)? = nil, activation: KernelActivation, gated: UnsafePointer<Float>? = nil
    ) {
        var arguments = f32_gemm(
            a: a.pointer, a_stride: a.stride, tap_offset: taps.offsets, taps: taps.count, k: taps.run,
            b: gated ?? panel(startingAt: group?.first ?? 0), c: c.pointer, c_offset: c.offsets,
            residual: residual?.pointer, residual_offset: residual?.offsets, m: rows,
            vectors: group?.vectors ?? vectors, ends_in_half: endsInHalf(group) ? 1 : 0,
            activation: activation.raw, panel_vectors: tile.panelVectors, tile_rows: tile.rows,
            fetches_ahead: fetchesAhead && gated == nil ? 1 : 0, next: following(group))
        table.pointer.pointee.f32_gemm(&arguments)
    }

    /// Whether the upper half of the last vector of `group` holds no column.
    @inline(__always)
    func endsInHalf(_ group: (first: Int, vectors: Int)?) -> Bool {
        let end = (group.map { $0.first + $0.vectors } ?? vectors) * table.vectorWidth
        return end - columns >= table.vectorWidth / 2
    }

    /// Writes the packed matrix with each input's weights multiplied by that input's gate, biases as they are: its
    /// product with rows is that of the matrix itself with gated rows, but for rounding.
    ///
    /// - Precondition: `to` has room for `packedCount` floats, `gate` has `depth`.
    public func gateUnsafe(by gate: UnsafePointer<Float>, into to: UnsafeMutablePointer<Float>) {
        table.forEachPanel(of: vectors, widest: tile.panelVectors) { first, panelVectors in
            let from = panel(startingAt: first)
            let to = to + first * table.vectorWidth * (depth + 1)
            let width = panelVectors * table.vectorWidth
            to.update(from: from, count: width)
            table.pointer.pointee.f32_row_scale(from + width, depth, panelVectors, gate, to + width)
        }
    }
}

extension PackedDepthwise {
    /// `height` output rows of `width` columns, for channels of `vectors` (first, count).
    ///
    /// There are `(height - 1) · stride + kernel` input rows; each points to the column of output 0's first tap, channel
    /// 0 of the first vector, as does `out`.
    @inline(__always)
    public func convolveRowsUnsafe(
        _ inputRows: UnsafePointer<UnsafePointer<Float>?>, columnStride: Int, into out: UnsafeMutablePointer<Float>,
        outStride: Int, outRowStride: Int, width: Int, height: Int, stride: Int,
        group: (first: Int, vectors: Int)? = nil, activation: KernelActivation
    ) {
        var arguments = f32_depthwise(
            rows: inputRows, column_stride: columnStride, weights: block(at: group?.first ?? 0), out: out,
            out_stride: outStride, out_row_stride: outRowStride, width: width, height: height,
            vectors: group?.vectors ?? vectors, kernel: kernel, stride: stride, activation: activation.raw)
        table.pointer.pointee.f32_depthwise(&arguments)
    }
}

extension KernelTable {
    /// sums[c] += Σ in[x][c] over `width` columns in ascending order.
    @inline(__always)
    public func addColumnsUnsafe(
        _ input: UnsafePointer<Float>, stride: Int, width: Int, vectors: Int, to sums: UnsafeMutablePointer<Float>
    ) {
        pointer.pointee.f32_column_sum(input, stride, width, vectors, sums)
    }

    /// out[x][c] = in[x][c] · gate[c] for `width` columns.
    @inline(__always)
    public func scaleColumnsUnsafe(
        _ input: UnsafePointer<Float>, stride: Int, width: Int, vectors: Int, by gate: UnsafePointer<Float>,
        into out: UnsafeMutablePointer<Float>
    ) {
        pointer.pointee.f32_column_scale(input, stride, width, vectors, gate, out)
    }

    /// out = pixels · scale + shift for a row of `width` interleaved RGB pixels.
    @inline(__always)
    public func normaliseRowUnsafe(
        _ pixels: UnsafePointer<UInt8>, width: Int, scale: UnsafePointer<Float>, shift: UnsafePointer<Float>,
        into out: UnsafeMutablePointer<Float>
    ) {
        pointer.pointee.u8_normalise_rgb(pixels, width, scale, shift, out)
    }

    /// Does `iterations` rounds of independent multiply-adds in registers and gives the number of operations
    /// (a multiply-add counts two).
    public func multiplyAddChains(iterations: Int) -> Int {
        var sink: [Float] = [0.5, 0.25, 0]
        return Int(pointer.pointee.f32_fma_chains(iterations, &sink))
    }
}
