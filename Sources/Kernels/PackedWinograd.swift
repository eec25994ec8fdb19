import CKernels
import Tensors

/// Weights and bias of a dense 3×3 convolution of stride 1, transformed for Winograd's F(2×2, 3×3): four outputs from
/// 16 products instead of 36.
///
/// Layout: a matrix for each of the 16 positions (i, j) of G · g · Gᵀ, row by row. The bias is added in position (1, 1),
/// which each of the four outputs takes once, with a positive sign.
/// Numerics: the weights are transformed in `Double` and rounded once; an output is a sum of 9 chains of fused
/// multiply-adds, each over the input channels in ascending order, added in one order.
/// Source: Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, 2015, section 4.1.
public final class PackedWinograd: @unchecked Sendable {  // immutable after init
    static let positions = 16
    public let table: KernelTable
    /// Output channels.
    public let columns: Int
    /// Input channels.
    public let inputs: Int
    let matrices: [PackedMatrix]
    /// The columns that are computed together: `(first, vectors)` each.
    let panels: [(first: Int, vectors: Int)]
    /// What the packed weights and biases take.
    public var bytes: Int { matrices.map(\.bytes).reduce(0, +) }

    /// - Parameters:
    ///   - weights: `[columns][inputs][3][3]`.
    ///   - bias: `[columns]`.
    public init(table: KernelTable, columns: Int, inputs: Int, weights: [Float], bias: [Float]) {
        precondition(weights.count == columns * inputs * 9, "\(weights.count) weights for another shape")
        self.table = table
        self.columns = columns
        self.inputs = inputs
        let noBias = [Float](repeating: 0, count: columns)
        matrices = (0..<Self.positions).map { position in
            PackedMatrix(
                table: table, columns: columns, inputs: inputs,
                weights: Self.transformed(weights, position: position), bias: position == 5 ? bias : noBias)
        }
        panels = matrices[0].groups(atMost: .max)
    }

    /// Element (position / 4, position % 4) of G · g · Gᵀ for each kernel g of 3×3.
    static func transformed(_ weights: [Float], position: Int) -> [Float] {
        let g: [[Double]] = [[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]]
        let (rows, columns) = (g[position / 4], g[position % 4])
        return stride(from: 0, to: weights.count, by: 9).map { kernel in
            var sum = 0.0
            for y in 0..<3 {
                for x in 0..<3 { sum += rows[y] * columns[x] * Double(weights[kernel + 3 * y + x]) }
            }
            return Float(sum)
        }
    }
}

extension PackedWinograd {
    /// Where the transformed input and the products of some rows of tiles lie in scratch. Units: floats.
    ///
    /// A line lies between two positions: without it their distance would often be a multiple of a page, and all 16
    /// would meet in the same lines of the first-level cache.
    private struct Layout {
        let inputStride: Int
        let inputPosition: Int
        let productStride: Int
        let productPosition: Int
        let size: Int

        init(_ weights: PackedWinograd, tiles: Int) {
            let line = Int(KERNEL_CHANNEL_ALIGNMENT)
            inputStride = channelStride(weights.inputs)
            inputPosition = tiles * inputStride + line
            productStride = weights.panels.map(\.vectors).max()! * weights.table.vectorWidth
            productPosition = channelStride(tiles * productStride) + line
            size = positions * (inputPosition + productPosition)
        }
    }

    /// Scratch that `height` output rows of `width` columns take. Units: floats.
    public func scratchSize(height: Int, width: Int) -> Int {
        Layout(self, tiles: (height + 1) / 2 * ((width + 1) / 2)).size
    }

    /// `height` output rows of `width` columns: as wide as the input.
    ///
    /// Row y of `inputRows` is above output row y, which reads it and the two behind it; each points to column 0, before
    /// which a column of zeros is assumed. `residual` lies as `out` does. Whole vectors are written.
    /// - Precondition: the first output row is an even one of the picture, so that the same tiles are made however the
    ///   picture is cut; there are `height` rounded up to even, and 2, input rows; `scratch` has `scratchSize` floats.
    public func convolveRowsUnsafe(
        _ inputRows: UnsafePointer<UnsafePointer<Float>?>, columnStride: Int, into out: UnsafeMutablePointer<Float>,
        residual: UnsafePointer<Float>?, outStride: Int, outRowStride: Int, width: Int, height: Int,
        activation: KernelActivation, scratch: UnsafeMutablePointer<Float>
    ) {
        let (across, down) = ((width + 1) / 2, (height + 1) / 2)
        let tiles = across * down
        let layout = Layout(self, tiles: tiles)
        let products = scratch + Self.positions * layout.inputPosition
        for row in 0..<down {
            var arguments = f32_winograd_input(
                rows: inputRows + 2 * row, column_stride: columnStride, width: width,
                out: scratch + row * across * layout.inputStride, position_stride: layout.inputPosition,
                tile_stride: layout.inputStride, tiles: across, vectors: table.vectors(for: inputs))
            table.pointer.pointee.f32_winograd_input(&arguments)
        }
        for panel in panels {
            withUnsafeTemporaryAllocation(of: UInt32.self, capacity: tiles) { offsets in
                for tile in 0..<tiles { offsets[tile] = UInt32(tile * layout.productStride) }
                let offsets = UnsafePointer(offsets.baseAddress!)
                for (position, matrix) in matrices.enumerated() {
                    matrix.multiplyUnsafe(
                        UnsafeStridedRows(scratch + position * layout.inputPosition, stride: layout.inputStride),
                        taps: UnsafeTaps(offsets: offsets, count: 1, run: inputs),  // the one at 0
                        into: UnsafeRows(products + position * layout.productPosition, offsets), rows: tiles,
                        group: panel, activation: .none)
                }
            }
            let channel = panel.first * table.vectorWidth
            for row in 0..<down {
                let first = 2 * row * outRowStride + channel
                var arguments = f32_winograd_output(
                    in: products + row * across * layout.productStride, position_stride: layout.productPosition,
                    tile_stride: layout.productStride, out: out + first, residual: residual.map { $0 + first },
                    out_stride: outStride, out_row_stride: outRowStride, width: width,
                    height: min(2, height - 2 * row), vectors: panel.vectors, activation: activation.raw)
                table.pointer.pointee.f32_winograd_output(&arguments)
            }
        }
    }
}
