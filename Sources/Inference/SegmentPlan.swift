import EfficientNet
import Kernels
import Tensors

/// Height, width and channels of a stored tensor: NHWC, the distance between two pixels is `stride` floats.
struct TensorShape: Equatable, Sendable {
    var height: Int
    var width: Int
    var channels: Int

    var stride: Int { channelStride(channels) }
    var pixels: Int { height * width }
    /// Units: floats.
    var size: Int { pixels * stride }
}

/// Offsets i · step for rows that lie one behind the other, and others; immutable, shared by all sessions.
final class OffsetTable: @unchecked Sendable {  // immutable after init
    let pointer: UnsafePointer<UInt32>
    private let storage: AlignedBuffer<UInt32>

    init(_ offsets: [Int]) {
        storage = AlignedBuffer(count: offsets.count)
        for (i, offset) in offsets.enumerated() { storage.pointer[i] = UInt32(offset) }
        pointer = UnsafePointer(storage.pointer)
    }

    convenience init(count: Int, step: Int) { self.init((0..<count).map { $0 * step }) }
}

/// The front convolution of a segment, packed.
struct FrontPlan: Sendable {
    enum Weights: Sendable {
        case direct(PackedMatrix)
        /// Of every 3×3 of stride 1 between stored tensors or in front of a projection.
        case winograd(PackedWinograd)
    }

    let weights: Weights
    let activation: KernelActivation
    let kernel: Int
    let stride: Int
    let top: Int
    let left: Int
    /// Floats between two rows of the padded input that the taps refer to.
    let rowPitch: Int
    /// Floats between two padded input pixels.
    let pixelStride: Int
    let taps: OffsetTable
    let tapCount: Int
    let run: Int

    var isPointwise: Bool { kernel == 1 && stride == 1 }

    /// - Precondition: it is not Winograd's.
    var matrix: PackedMatrix {
        guard case .direct(let matrix) = weights else { preconditionFailure("a front in 16 matrices") }
        return matrix
    }

    var winograd: PackedWinograd? {
        if case .winograd(let weights) = weights { weights } else { nil }
    }

    /// Output rows that no task may cut apart: Winograd's tiles have two.
    var rowUnit: Int { winograd == nil ? 1 : 2 }

    /// What the packed weights and biases take.
    var bytes: Int {
        switch weights {
        case .direct(let matrix): matrix.bytes
        case .winograd(let weights): weights.bytes
        }
    }

    /// Of an output pixel, as the convolution is defined: of these Winograd's does 4/9.
    var multiplyAccumulates: Int {
        switch weights {
        case .direct(let matrix): matrix.depth * matrix.columns
        case .winograd(let weights): kernel * kernel * weights.inputs * weights.columns
        }
    }
}

/// A segment at a given input size, with packed weights and the way in which it is cut into tasks.
struct SegmentPlan: Sendable {
    enum Strategy: Sendable {
        /// Tasks are ranges of output rows; what lies between front and projection stays in a few rows of scratch.
        /// For large pictures with few channels.
        case rows(rowsAtOnce: Int)
        /// Tasks are ranges of inner channels over the whole picture, then the projection.
        /// For small pictures with many channels.
        case slices
    }

    let input: TensorShape
    /// Between front and depthwise.
    let middle: TensorShape
    let output: TensorShape
    let front: FrontPlan?
    let depthwise: PackedDepthwise?
    let depthwiseStride: Int
    let depthwiseActivation: KernelActivation
    /// Padding of the depthwise convolution.
    let top: Int
    let left: Int
    /// Rows and columns of the middle tensor with its padding.
    let paddedHeight: Int
    let paddedWidth: Int
    let squeeze: (reduce: PackedMatrix, expand: PackedMatrix)?
    let squeezeActivation: KernelActivation
    let projection: PackedMatrix?
    let hasResidual: Bool
    let strategy: Strategy
    /// Slices of the inner channels: vectors (first, count) each.
    let slices: [(first: Int, vectors: Int)]
    /// Widest slice. Units: floats.
    let sliceStride: Int
    /// Where each pixel of the middle tensor lies in a slice's padded scratch.
    let sliceOffsets: OffsetTable
    let middleOffsets: OffsetTable
    let outputOffsets: OffsetTable

    /// What goes into the projection is stored whole, because a gate or another order of tasks comes in between.
    var storesInner: Bool {
        guard depthwise != nil else { return false }
        if squeeze != nil { return true }
        if case .slices = strategy { return true }
        return false
    }

    /// Whether the gate is multiplied into the projection's weights, instead of into the pixels that it reads. A rule of
    /// shapes alone, because the two round differently.
    var gatesWeights: Bool { squeeze != nil && innerPixels >= 2 * output.channels }

    /// Height and width of what goes into the projection.
    var innerPixels: Int { output.pixels }
}

extension SegmentPlan {
    /// Pictures of at most this many pixels are cut by channels.
    static let slicedPixels = 600
    /// Inner channels of a slice, at the least. Units: floats.
    static let sliceWidth = 48
    /// What the rows in scratch may take. Units: floats; half of a common second-level cache.
    static let rowScratch = 96 * 1024

    /// - Parameter imageRowPitch: floats between two rows of the session's padded image, where that is the input.
    init(
        _ segment: Segment, input: TensorShape, padding: Padding, table: KernelTable, imageRowPitch: Int?
    ) {
        self.input = input
        var middle = input
        if let front = segment.front {
            middle.height = padding.outputSize(of: input.height, kernel: front.kernel, stride: front.stride)
            middle.width = padding.outputSize(of: input.width, kernel: front.kernel, stride: front.stride)
            middle.channels = front.outputs
        }
        self.middle = middle
        let middleStride = middle.stride
        let front = segment.front.map {
            FrontPlan(
                $0, input: input, padding: padding, table: table, imageRowPitch: imageRowPitch,
                feedsDepthwise: segment.depthwise != nil)
        }
        self.front = front

        var output = middle
        if let layer = segment.depthwise {
            output.height = padding.outputSize(of: middle.height, kernel: layer.kernel, stride: layer.stride)
            output.width = padding.outputSize(of: middle.width, kernel: layer.kernel, stride: layer.stride)
            depthwise = PackedDepthwise(
                table: table, channels: layer.channels, kernel: layer.kernel, weights: layer.weights, bias: layer.bias)
            depthwiseStride = layer.stride
            depthwiseActivation = layer.activation
            top = padding.before(size: middle.height, kernel: layer.kernel, stride: layer.stride)
            left = padding.before(size: middle.width, kernel: layer.kernel, stride: layer.stride)
            paddedHeight = max(middle.height + top, (output.height - 1) * layer.stride + layer.kernel)
            paddedWidth = max(middle.width + left, (output.width - 1) * layer.stride + layer.kernel)
        } else {
            depthwise = nil
            depthwiseStride = 1
            depthwiseActivation = .none
            (top, left, paddedHeight, paddedWidth) = (0, 0, middle.height, middle.width)
        }
        squeeze = segment.squeeze.map {
            (PackedMatrix($0.reduce, table: table), PackedMatrix($0.expand, table: table))
        }
        squeezeActivation = segment.squeeze?.reduce.activation ?? .none
        projection = segment.projection.map { PackedMatrix($0, table: table) }
        if let projection { output.channels = projection.columns }
        self.output = output
        hasResidual = segment.hasResidual

        let slicesFit = segment.depthwise != nil && (segment.front?.kernel ?? 1) == 1
        if slicesFit && middle.pixels <= Self.slicedPixels {
            strategy = .slices
        } else {
            // As many rows as fit, at least one: more rows mean longer products and fewer reads of the weights.
            let made = (kernel: depthwise?.kernel ?? 1, stride: depthwiseStride)
            let (madePitch, innerPitch) = (paddedWidth * middleStride, output.width * middleStride)
            func scratch(_ rows: Int) -> Int {
                if let winograd = front?.winograd {
                    return winograd.scratchSize(height: rows, width: middle.width) + rows * innerPitch
                }
                return ((rows - 1) * made.stride + made.kernel) * madePitch + rows * innerPitch
            }
            let unit = front?.rowUnit ?? 1
            var rows = unit
            while rows < output.height, scratch(rows + unit) <= Self.rowScratch { rows += unit }
            strategy = .rows(rowsAtOnce: rows)
        }

        let vectors = table.vectors(for: middle.channels)
        let count = max(1, middle.channels / Self.sliceWidth)
        slices =
            (slicesFit ? front?.matrix.groups(atMost: count) : nil)
            ?? (0..<count).map {
                let first = $0 * vectors / count
                return (first, ($0 + 1) * vectors / count - first)
            }
        let sliceStride = channelStride(slices.map(\.vectors).max()! * table.vectorWidth)
        self.sliceStride = sliceStride
        if case .slices = strategy {
            let (top, left, paddedWidth) = (top, left, paddedWidth)
            sliceOffsets = OffsetTable(
                (0..<middle.pixels).map {
                    (($0 / middle.width + top) * paddedWidth + $0 % middle.width + left) * sliceStride
                })
        } else {
            sliceOffsets = OffsetTable([])
        }
        let rowPixels = max(input.width, middle.width, output.width)
        let most = max(rowPixels, Self.slicedPixels, Self.projectionRows)
        middleOffsets = OffsetTable(count: most, step: middleStride)
        outputOffsets = OffsetTable(count: most, step: output.stride)
    }

    /// Pixels that a projection takes at once, at most.
    static let projectionRows = 4096
}

extension FrontPlan {
    init(
        _ layer: DenseLayer, input: TensorShape, padding: Padding, table: KernelTable, imageRowPitch: Int?,
        feedsDepthwise: Bool
    ) {
        kernel = layer.kernel
        stride = layer.stride
        activation = layer.activation
        top = padding.before(size: input.height, kernel: layer.kernel, stride: layer.stride)
        left = padding.before(size: input.width, kernel: layer.kernel, stride: layer.stride)
        let outputs = padding.outputSize(of: input.width, kernel: layer.kernel, stride: layer.stride)
        let pixelStride = imageRowPitch == nil ? input.stride : input.channels
        self.pixelStride = pixelStride
        let paddedWidth = max(input.width + left, (outputs - 1) * layer.stride + layer.kernel)
        let rowPitch = imageRowPitch ?? paddedWidth * pixelStride
        self.rowPitch = rowPitch
        if layer.kernel == 3 && layer.stride == 1 && imageRowPitch == nil && !feedsDepthwise {
            weights = .winograd(
                PackedWinograd(
                    table: table, columns: layer.outputs, inputs: layer.inputs, weights: layer.weights,
                    bias: layer.bias))
        } else {
            weights = .direct(PackedMatrix(layer, table: table))
        }
        if layer.kernel == 1 {
            taps = OffsetTable([0])
            tapCount = 1
            run = layer.inputs
        } else if pixelStride == layer.inputs {
            // The pixels of a kernel row touch each other: a tap is such a row.
            taps = OffsetTable((0..<layer.kernel).map { $0 * rowPitch })
            tapCount = layer.kernel
            run = layer.kernel * layer.inputs
        } else {
            taps = OffsetTable(
                (0..<layer.kernel * layer.kernel).map {
                    $0 / layer.kernel * rowPitch + $0 % layer.kernel * pixelStride
                })
            tapCount = layer.kernel * layer.kernel
            run = layer.inputs
        }
    }
}

extension PackedMatrix {
    /// Packs with the depth in the order kernel row, kernel column, channel.
    convenience init(_ layer: DenseLayer, table: KernelTable) {
        self.init(
            table: table, columns: layer.outputs, inputs: layer.inputs, taps: layer.kernel * layer.kernel,
            weights: layer.weights, bias: layer.bias)
    }
}
