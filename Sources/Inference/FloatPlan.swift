import EfficientNet
import Kernels
import Tensors

/// A graph in floating point made ready for one machine and one input size: packed weights, memory plan, choice of
/// kernels.
///
/// Concurrency: immutable; shared by all sessions.
final class FloatPlan: Sendable {
    let architecture: Architecture
    let table: KernelTable
    let inputHeight: Int
    let inputWidth: Int
    let normalisation: Normalisation
    let multiplyAccumulates: Int

    let segments: [SegmentPlan]
    /// Segments before this one run image by image, the others over the whole batch.
    let firstBatched: Int
    private let tail: Tail?
    /// Whether the first segment reads the padded picture.
    let readsPicture: Bool
    let singleTap: OffsetTable
    /// The padded image that the stem reads.
    let imageRowPitch: Int
    let imageRows: Int
    let imageTop: Int
    let imageLeft: Int
    let zeroRow: ZeroRow

    /// What comes after the segments of a whole network.
    private struct Tail: Sendable {
        let head: PackedMatrix
        let headActivation: KernelActivation
        let classifier: PackedMatrix
        let classifierOffsets: OffsetTable
    }

    /// The network of `graph`.
    convenience init(
        graph: Graph, table: KernelTable, inputHeight height: Int, inputWidth width: Int, normalisation: Normalisation
    ) {
        self.init(
            graph.segments, tail: (graph.head, graph.classifier),
            input: TensorShape(height: height, width: width, channels: graph.architecture.inputChannels),
            readsPicture: true, architecture: graph.architecture, table: table, normalisation: normalisation)
    }

    /// Some of a network's segments, which read a tensor of shape `input` or the picture.
    convenience init(
        kept segments: [Segment], input: TensorShape, readsPicture: Bool, architecture: Architecture,
        table: KernelTable, normalisation: Normalisation
    ) {
        self.init(
            segments, tail: nil, input: input, readsPicture: readsPicture, architecture: architecture, table: table,
            normalisation: normalisation)
    }

    private init(
        _ layers: [Segment], tail: (head: DenseLayer, classifier: DenseLayer)?, input: TensorShape,
        readsPicture: Bool, architecture: Architecture, table: KernelTable, normalisation: Normalisation
    ) {
        self.architecture = architecture
        self.table = table
        self.readsPicture = readsPicture
        let (height, width) = (input.height, input.width)
        inputHeight = height
        inputWidth = width
        self.normalisation = normalisation
        let padding = architecture.padding
        let (kernel, stride) = readsPicture ? (architecture.stem.kernel, architecture.stem.stride) : (1, 1)
        imageTop = padding.before(size: height, kernel: kernel, stride: stride)
        imageLeft = padding.before(size: width, kernel: kernel, stride: stride)
        let outHeight = padding.outputSize(of: height, kernel: kernel, stride: stride)
        let outWidth = padding.outputSize(of: width, kernel: kernel, stride: stride)
        imageRows = max(height + imageTop, (outHeight - 1) * stride + kernel)
        let imageColumns = max(width + imageLeft, (outWidth - 1) * stride + kernel)
        imageRowPitch = imageColumns * architecture.inputChannels

        var shape = input
        var segments: [SegmentPlan] = []
        for (index, segment) in layers.enumerated() {
            let plan = SegmentPlan(
                segment, input: shape, padding: padding, table: table,
                imageRowPitch: index == 0 && readsPicture ? imageRowPitch : nil)
            segments.append(plan)
            shape = plan.output
        }
        self.segments = segments
        // Kept segments run image by image.
        firstBatched =
            tail == nil
            ? segments.count
            : segments.firstIndex { if case .slices = $0.strategy { true } else { false } } ?? segments.count
        self.tail = tail.map {
            Tail(
                head: PackedMatrix($0.head, table: table), headActivation: $0.head.activation,
                classifier: PackedMatrix($0.classifier, table: table),
                classifierOffsets: OffsetTable(
                    count: Session.mostImages, step: channelStride($0.classifier.outputs)))
        }
        singleTap = OffsetTable([0])
        zeroRow = ZeroRow(
            count: segments.map { max($0.paddedWidth * $0.middle.stride, $0.input.width * $0.input.stride) }.max()!)
        multiplyAccumulates =
            segments.map(\.multiplyAccumulates).reduce(0, +)
            + (tail.map {
                shape.pixels * $0.head.outputs * $0.head.inputs + $0.classifier.inputs * $0.classifier.outputs
            } ?? 0)
    }

    private var wholeTail: Tail {
        guard let tail else { preconditionFailure("kept segments have no head") }
        return tail
    }
    var head: PackedMatrix { wholeTail.head }
    var headActivation: KernelActivation { wholeTail.headActivation }
    var classifier: PackedMatrix { wholeTail.classifier }
    var classifierOffsets: OffsetTable { wholeTail.classifierOffsets }

    var classCount: Int { classifier.columns }
    var featureCount: Int { head.columns }

    /// The tensors between segments, for a batch of `images`: outputs, inner tensors, row sums.
    func tensors(images: Int) -> [MemoryPlan.Tensor] {
        var tensors: [MemoryPlan.Tensor] = []
        for (index, segment) in segments.enumerated() {
            let batch = index >= firstBatched ? images : 1
            // The last tensor made image by image gathers the batch while later images still run.
            let isBoundary = index == firstBatched - 1
            tensors.append(
                .init(
                    size: segment.output.size * (isBoundary ? images : batch),
                    lifetime: (isBoundary ? 0 : index)...index + 1))
            let inner = segment.storesInner ? segment.innerPixels * segment.middle.stride : 0
            tensors.append(.init(size: inner * batch, lifetime: index...index))
            let sums = segment.squeeze == nil ? 0 : (segment.output.height + 3) * segment.middle.stride
            tensors.append(.init(size: sums * batch, lifetime: index...index))
        }
        return tensors
    }
}

/// A row of zeros, as wide as any segment needs, for the taps above and below a picture.
final class ZeroRow: @unchecked Sendable {  // never written
    private let storage: AlignedBuffer<Float>
    var pointer: UnsafePointer<Float> { UnsafePointer(storage.pointer) }

    init(count: Int) { storage = AlignedBuffer(count: count) }
}

extension SegmentPlan {
    /// Of one image.
    var multiplyAccumulates: Int {
        var sum = 0
        if let front { sum += middle.pixels * front.multiplyAccumulates }
        if let depthwise { sum += output.pixels * depthwise.channels * depthwise.kernel * depthwise.kernel }
        if let squeeze {
            sum += squeeze.reduce.depth * squeeze.reduce.columns + squeeze.expand.depth * squeeze.expand.columns
        }
        if let projection { sum += output.pixels * projection.depth * projection.columns }
        return sum
    }
}
