import EfficientNet
import Kernels
import Tensors

/// Height, width and channels of a tensor in bytes.
struct ByteShape: Equatable, Sendable {
    var height: Int
    var width: Int
    var channels: Int

    /// Between two pixels. Units: bytes, a multiple of 16.
    var stride: Int { (channels + 15) / 16 * 16 }
    var pixels: Int { height * width }
    /// As pixels. Units: bytes.
    var size: Int { pixels * stride }
    /// Groups of four columns in a row.
    var groups: Int { (width + 3) / 4 }
}

/// A dense convolution in bytes at a given input size.
struct ByteFrontPlan: Sendable {
    let matrix: PackedByteMatrix
    let kernel: Int
    let stride: Int
    let top: Int
    let left: Int
    /// Bytes between two rows of what the taps refer to, with its padding.
    let rowPitch: Int
    /// Bytes between the inputs of two outputs of a row.
    let pixelStep: Int
    let taps: OffsetTable

    var isPointwise: Bool { kernel == 1 && stride == 1 }
}

/// Squeeze-and-excite of a segment in bytes: one vector an image, in floats whose order is fixed.
struct ByteSqueezePlan: Sendable {
    let reduce: FixedOrderLayer
    let expand: FixedOrderLayer
    let mean: QuantizedMean
    let gate: QuantizedGate
}

/// A segment in bytes at a given input size, with packed weights and the way in which it is cut into tasks.
///
/// A task makes a range of output rows of a slice of the inner channels, a few rows at a time: the front writes columns
/// into a ring that holds just the rows the depthwise convolution reaches, which writes blocks. Where a slice has all
/// channels and no gate comes in between, the projection follows at once; else the blocks are stored whole.
struct ByteSegmentPlan: Sendable {
    let input: ByteShape
    /// Between front and depthwise.
    let middle: ByteShape
    let output: ByteShape
    let inputZeroPoint: UInt8
    let front: ByteFrontPlan?
    let depthwise: PackedByteDepthwise?
    /// Rows of padding above the depthwise convolution's input.
    let top: Int
    /// What pads the depthwise convolution's input.
    let middleZeroPoint: UInt8
    let squeeze: ByteSqueezePlan?
    let projection: PackedByteMatrix?
    /// The input is added to the output.
    let hasResidual: Bool

    /// Slices of the inner channels: vectors (first, count) each.
    let slices: [(first: Int, vectors: Int)]
    /// Output rows that a task makes at once.
    let rowsAtOnce: Int
    /// Groups of four columns of a middle row with its padding: one before, the others behind.
    let middleGroups: Int
    /// Bytes of four columns of what lies between.
    let groupPitch: Int
    /// Bytes between two blocks.
    let blockPitch: Int
    /// Blocks of a row.
    let blocks: Int
    /// Where each output pixel's block lies, and each output pixel, from the first row of a range on.
    let blockOffsets: OffsetTable
    let outputOffsets: OffsetTable
    /// Where each middle pixel lies, of a segment without a depthwise convolution.
    let middleOffsets: OffsetTable

    /// What the projection reads is stored whole.
    var storesInner: Bool { depthwise != nil && (squeeze != nil || slices.count > 1) }
    /// Tasks are slices over whole pictures instead of ranges of rows.
    var isSliced: Bool { slices.count > 1 }
    /// Bytes between two rows of blocks.
    var innerRowPitch: Int { blocks * blockPitch }
    /// Of the blocks. Units: bytes.
    var innerSize: Int { output.height * innerRowPitch }
    /// Pixels of the output, or of the middle where nothing follows.
    var multiplyAccumulates: Int {
        var sum = 0
        if let front { sum += middle.pixels * middle.channels * front.kernel * front.kernel * input.channels }
        if let depthwise { sum += output.pixels * depthwise.channels * depthwise.kernel * depthwise.kernel }
        if let squeeze {
            sum += squeeze.reduce.inputs * squeeze.reduce.outputs + squeeze.expand.inputs * squeeze.expand.outputs
        }
        if let projection { sum += output.pixels * middle.channels * projection.columns }
        return sum
    }
}

extension ByteSegmentPlan {
    /// Pictures of at most this many pixels are cut by channels.
    static let slicedPixels = 400
    /// Inner channels of a slice, about: a panel of three of the widest vectors, or one or two of AMX's, which have two.
    static let sliceWidth = 48
    /// What the rows in scratch may take. Units: bytes.
    static let rowScratch = 96 * 1024

    /// - Parameters:
    ///   - layout: the segment's layers, by whose names errors call them.
    ///   - image: where the input is the picture: bytes between two rows of the session's padded copy, and the real
    ///     zero points of its channels.
    /// - Throws: `InferenceError.impossibleQuantisation`.
    init(
        _ segment: QuantizedSegment, layout: SegmentLayout, input: ByteShape, padding: Padding, table: KernelTable,
        image: (rowPitch: Int, zeroPoints: [Double])?
    ) throws(InferenceError) {
        self.input = input
        inputZeroPoint = segment.input.zeroPoint
        let residual = segment.hasResidual ? segment.input : nil
        var middle = input
        if let layer = segment.front, let location = layout.front?.location {
            middle.height = padding.outputSize(of: input.height, kernel: layer.kernel, stride: layer.stride)
            middle.width = padding.outputSize(of: input.width, kernel: layer.kernel, stride: layer.stride)
            middle.channels = layer.outputs
            let isLast = segment.depthwise == nil && segment.projection == nil
            let quantisation = try Requantization(
                layer, name: location.quantizedName, inputZeroPoints: image?.zeroPoints ?? [Double(inputZeroPoint)],
                isDepthwise: false, residual: isLast ? residual : nil)
            front = ByteFrontPlan(
                layer, quantisation, input: input, padding: padding, table: table, imageRowPitch: image?.rowPitch)
            middleZeroPoint = layer.output!.zeroPoint
        } else {
            front = nil
            middleZeroPoint = inputZeroPoint
        }
        self.middle = middle

        var output = middle
        if let layer = segment.depthwise, let location = layout.depthwise?.location {
            output.height = padding.outputSize(of: middle.height, kernel: layer.kernel, stride: layer.stride)
            output.width = padding.outputSize(of: middle.width, kernel: layer.kernel, stride: layer.stride)
            top = padding.before(size: middle.height, kernel: layer.kernel, stride: layer.stride)
            let quantisation = try Requantization(
                layer, name: location.quantizedName, inputZeroPoints: [Double(middleZeroPoint)], isDepthwise: true)
            depthwise = PackedByteDepthwise(
                table: table, channels: layer.outputs, kernel: layer.kernel, stride: layer.stride,
                left: padding.before(size: middle.width, kernel: layer.kernel, stride: layer.stride),
                weights: layer.weights, epilogue: ByteEpilogue(quantisation))
        } else {
            depthwise = nil
            top = 0
        }
        if let layers = segment.squeeze, let depthwise = segment.depthwise?.output, let gated = segment.gated {
            let mean = try QuantizedMean(
                of: depthwise, channels: middle.channels, pixels: output.pixels, name: layout.meanName)
            squeeze = ByteSqueezePlan(
                reduce: FixedOrderLayer(layers.reduce), expand: FixedOrderLayer(layers.expand),
                mean: mean,
                gate: try QuantizedGate(
                    from: depthwise, to: gated, channels: middle.channels, name: layout.gatedName))
        } else {
            squeeze = nil
        }
        if let layer = segment.projection, let location = layout.projection?.location {
            let before = segment.gated ?? segment.depthwise?.output ?? segment.front!.output!
            let quantisation = try Requantization(
                layer, name: location.quantizedName, inputZeroPoints: [Double(before.zeroPoint)], isDepthwise: false,
                residual: residual)
            projection = PackedByteMatrix(
                table: table, columns: layer.outputs, taps: 1, run: layer.inputs, weights: layer.weights,
                epilogue: ByteEpilogue(quantisation))
            output.channels = layer.outputs
        } else {
            projection = nil
        }
        self.output = output
        hasResidual = segment.hasResidual

        let vectors = table.vectors(for: middle.channels)
        let lanes = table.vectorWidth
        let columns = table.blockColumns
        groupPitch = vectors * lanes * 4
        blockPitch = vectors * lanes * columns
        blocks = (output.width + columns - 1) / columns
        if let depthwise {
            let last =
                (output.groups - 1) * depthwise.stride + (3 * depthwise.stride - depthwise.left + depthwise.kernel - 1)
                / 4
            middleGroups = 1 + max(middle.groups, last + 1)
        } else {
            middleGroups = middle.groups
        }
        if depthwise != nil, front?.kernel ?? 1 == 1, middle.pixels <= Self.slicedPixels {
            let count = max(1, middle.channels / Self.sliceWidth)
            slices =
                front?.matrix.groups(atMost: count)
                ?? (0..<count).map { ($0 * vectors / count, ($0 + 1) * vectors / count - $0 * vectors / count) }
            rowsAtOnce = output.height
        } else {
            slices = [(0, vectors)]
            // As many rows as fit, at least one: more rows read the weights less often.
            let (kernel, stride) = (depthwise?.kernel ?? 1, depthwise?.stride ?? 1)
            var rows = 1
            while rows < output.height,
                (rows * stride + kernel) * middleGroups * groupPitch + (rows + 1) * output.groups * groupPitch
                    <= Self.rowScratch
            { rows += 1 }
            rowsAtOnce = rows
        }
        let (width, rowPitch, pitch) = (output.width, blocks * blockPitch, blockPitch)
        blockOffsets =
            depthwise == nil
            ? OffsetTable([])
            : OffsetTable(
                (0..<output.pixels).map {
                    $0 / width * rowPitch + $0 % width / columns * pitch + $0 % width % columns * 4
                })
        outputOffsets = OffsetTable(count: output.pixels, step: output.stride)
        middleOffsets = OffsetTable(count: depthwise == nil ? middle.pixels : 0, step: middle.stride)
    }
}

extension ByteFrontPlan {
    init(
        _ layer: QuantizedLayer, _ quantisation: Requantization, input: ByteShape, padding: Padding,
        table: KernelTable, imageRowPitch: Int?
    ) {
        kernel = layer.kernel
        stride = layer.stride
        top = padding.before(size: input.height, kernel: layer.kernel, stride: layer.stride)
        left = padding.before(size: input.width, kernel: layer.kernel, stride: layer.stride)
        let outputs = padding.outputSize(of: input.width, kernel: layer.kernel, stride: layer.stride)
        let pixelStride = imageRowPitch == nil ? input.stride : input.channels
        pixelStep = layer.stride * pixelStride
        let columns = max(input.width + left, (outputs - 1) * layer.stride + layer.kernel)
        let rowPitch = imageRowPitch ?? (layer.kernel == 1 ? input.width : columns) * pixelStride
        self.rowPitch = rowPitch
        let (kernel, inputs) = (layer.kernel, layer.inputs)
        // The picture's pixels touch each other: a tap is a kernel row; elsewhere a kernel position.
        let tapCount = imageRowPitch == nil ? kernel * kernel : kernel
        let run = kernel * kernel * inputs / tapCount
        taps = OffsetTable(
            (0..<tapCount).map {
                imageRowPitch == nil ? $0 / kernel * rowPitch + $0 % kernel * pixelStride : $0 * rowPitch
            })
        // [outputs][inputs][position] to [outputs][position][inputs].
        var weights = [Int8](repeating: 0, count: layer.weights.count)
        let positions = kernel * kernel
        for output in 0..<layer.outputs {
            for input in 0..<inputs {
                for position in 0..<positions {
                    weights[(output * positions + position) * inputs + input] =
                        layer.weights[(output * inputs + input) * positions + position]
                }
            }
        }
        matrix = PackedByteMatrix(
            table: table, columns: layer.outputs, taps: tapCount, run: run, weights: weights,
            epilogue: ByteEpilogue(quantisation))
    }
}

extension ByteEpilogue {
    init(_ quantisation: Requantization) {
        self.init(
            offsets: quantisation.offsets, multipliers: quantisation.multipliers,
            reciprocals: quantisation.reciprocals,
            addends: quantisation.addends, residualMultipliers: quantisation.residualMultipliers,
            activation: quantisation.activation)
    }
}
