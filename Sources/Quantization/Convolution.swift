import EfficientNet
import Inference
import Kernels
import Tensors

/// One layer's weights packed for the fast kernels, to be run over whole pictures.
///
/// Concurrency: immutable; shared by all threads.
struct Convolution: Sendable {
    private enum Weights: Sendable {
        case dense(PackedMatrix)
        case depthwise(PackedDepthwise)
    }

    private let weights: Weights
    private let window: Window
    private let activation: KernelActivation

    /// - Parameter outside: see `Window`.
    init(_ layer: FloatLayer, padding: Padding, activation: KernelActivation, outside: [Float]? = nil) {
        window = Window(layer, padding: padding, outside: outside)
        self.activation = activation
        let table = KernelTable.fastest
        weights =
            layer.role == .depthwise
            ? .depthwise(
                PackedDepthwise(
                    table: table, channels: layer.outputs, kernel: layer.kernel, weights: layer.weights,
                    bias: layer.bias))
            : .dense(
                PackedMatrix(
                    table: table, columns: layer.outputs, inputs: layer.weightsPerOutput, weights: layer.weights,
                    bias: layer.bias))
    }

    func run(_ picture: Picture) -> Picture {
        switch weights {
        case .dense(let matrix): run(picture, matrix)
        case .depthwise(let depthwise): run(picture, depthwise)
        }
    }

    private func run(_ picture: Picture, _ matrix: PackedMatrix) -> Picture {
        let size = window.outputSize(of: picture)
        var output = Picture(height: size.height, width: size.width, channels: matrix.columns)
        let rowsAtOnce = 256
        // A 1×1 convolution reads the picture itself, any other the patches laid out in rows.
        let isPointwise = window.isPointwise
        let patchStride = isPointwise ? picture.stride : matrix.depth
        var patches = [Float](repeating: 0, count: isPointwise ? 0 : rowsAtOnce * patchStride)
        let offsets = AlignedBuffer<UInt32>(count: rowsAtOnce + 1)  // of output rows, of the one tap
        for row in 0..<rowsAtOnce { offsets.pointer[row] = UInt32(row * output.stride) }
        var copy = picture.values  // the kernel's rows are declared mutable; nothing is written
        output.values.withUnsafeMutableBufferPointer { out in
            copy.withUnsafeMutableBufferPointer { values in
                patches.withUnsafeMutableBufferPointer { patches in
                    for first in Swift.stride(from: 0, to: size.height * size.width, by: rowsAtOnce) {
                        let rows = min(rowsAtOnce, size.height * size.width - first)
                        var start = values.baseAddress! + first * picture.stride
                        if !isPointwise {
                            for row in 0..<rows {
                                window.gather(
                                    UnsafeBufferPointer(values), of: picture, output: first + row,
                                    into: patches.baseAddress! + row * patchStride)
                            }
                            start = patches.baseAddress!
                        }
                        matrix.multiplyUnsafe(
                            UnsafeStridedRows(start, stride: patchStride),
                            taps: UnsafeTaps(
                                offsets: UnsafePointer(offsets.pointer + rowsAtOnce), count: 1, run: matrix.depth),
                            into: UnsafeRows(
                                out.baseAddress! + first * output.stride, UnsafePointer(offsets.pointer)),
                            rows: rows,
                            activation: activation)
                    }
                }
            }
        }
        return output
    }

    private func run(_ picture: Picture, _ depthwise: PackedDepthwise) -> Picture {
        let size = window.outputSize(of: picture)
        let padded = window.pad(picture, outputSize: size)
        var output = Picture(height: size.height, width: size.width, channels: depthwise.channels)
        output.values.withUnsafeMutableBufferPointer { out in
            padded.values.withUnsafeBufferPointer { values in
                let rows: [UnsafePointer<Float>?] = (0..<(size.height - 1) * window.stride + window.kernel).map {
                    values.baseAddress! + $0 * padded.width * padded.stride
                }
                depthwise.convolveRowsUnsafe(
                    rows, columnStride: padded.stride, into: out.baseAddress!, outStride: output.stride,
                    outRowStride: size.width * output.stride, width: size.width, height: size.height,
                    stride: window.stride, activation: activation)
            }
        }
        return output
    }
}

/// Which inputs each output of a convolution reads.
struct Window: Sendable {
    let kernel: Int
    let stride: Int
    private let padding: Padding
    /// What a dense layer finds outside the picture, for each channel; nil for zeros.
    private let outside: [Float]?

    init(_ layer: FloatLayer, padding: Padding, outside: [Float]? = nil) {
        (kernel, stride) = (layer.kernel, layer.stride)
        self.padding = padding
        self.outside = outside
    }

    var isPointwise: Bool { kernel == 1 && stride == 1 }

    func outputSize(of picture: Picture) -> (height: Int, width: Int) {
        (
            padding.outputSize(of: picture.height, kernel: kernel, stride: stride),
            padding.outputSize(of: picture.width, kernel: kernel, stride: stride)
        )
    }

    /// Lays out what output number `output` reads: `[channels][kernel][kernel]`.
    func gather(
        _ values: UnsafeBufferPointer<Float>, of picture: Picture, output: Int, into patch: UnsafeMutablePointer<Float>
    ) {
        let width = padding.outputSize(of: picture.width, kernel: kernel, stride: stride)
        let top = output / width * stride - padding.before(size: picture.height, kernel: kernel, stride: stride)
        let left = output % width * stride - padding.before(size: picture.width, kernel: kernel, stride: stride)
        let taps = kernel * kernel
        for row in 0..<kernel {
            for column in 0..<kernel {
                let (y, x) = (top + row, left + column)
                var to = patch + row * kernel + column
                guard y >= 0, y < picture.height, x >= 0, x < picture.width else {
                    for channel in 0..<picture.channels {
                        to.pointee = outside?[channel] ?? 0
                        to += taps
                    }
                    continue
                }
                let from = (y * picture.width + x) * picture.stride
                for channel in 0..<picture.channels {
                    to.pointee = values[from + channel]
                    to += taps
                }
            }
        }
    }

    /// The picture with as many zeros around it as the outputs read.
    func pad(_ picture: Picture, outputSize: (height: Int, width: Int)) -> Picture {
        let top = padding.before(size: picture.height, kernel: kernel, stride: stride)
        let left = padding.before(size: picture.width, kernel: kernel, stride: stride)
        var padded = Picture(
            height: max(top + picture.height, (outputSize.height - 1) * stride + kernel),
            width: max(left + picture.width, (outputSize.width - 1) * stride + kernel), channels: picture.channels,
            stride: picture.stride)
        padded.values.withUnsafeMutableBufferPointer { to in
            picture.values.withUnsafeBufferPointer { from in
                let count = picture.width * picture.stride
                for y in 0..<picture.height {
                    let start = ((y + top) * padded.width + left) * padded.stride
                    (to.baseAddress! + start).update(from: from.baseAddress! + y * count, count: count)
                }
            }
        }
        return padded
    }
}
