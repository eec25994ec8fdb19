import EfficientNet
import Kernels
import Tensors

/// How pixels of 0…255 become the network's input: (pixel / 255 - mean) / std, per channel R, G, B.
public struct Normalisation: Equatable, Sendable {
    /// Units: of the range 0…1.
    public var mean: [Float]
    /// Units: of the range 0…1.
    public var standardDeviation: [Float]

    /// - Precondition: three of each.
    public init(mean: [Float], standardDeviation: [Float]) {
        precondition(mean.count == 3 && standardDeviation.count == 3, "one mean and deviation per channel")
        self.mean = mean
        self.standardDeviation = standardDeviation
    }

    /// What ImageNet models of torchvision use.
    public static let imageNet = Normalisation(mean: [0.485, 0.456, 0.406], standardDeviation: [0.229, 0.224, 0.225])

    var scale: [Float] { standardDeviation.map { 1 / (255 * $0) } }
    var shift: [Float] { zip(mean, standardDeviation).map { -$0 / $1 } }
}

/// A graph made ready for one machine and one input size: packed weights, memory plan, choice of kernels.
///
/// Concurrency: immutable; shared by all sessions.
public final class Plan: Sendable {
    public let architecture: Architecture
    public let table: KernelTable
    /// Units: pixels.
    public let inputHeight: Int
    /// Units: pixels.
    public let inputWidth: Int
    public let normalisation: Normalisation
    /// Multiply-accumulates of all convolutions and linear layers for one image.
    public let multiplyAccumulates: Int

    let segments: [SegmentPlan]
    /// Segments before this one run image by image, the others over the whole batch.
    let firstBatched: Int
    let head: PackedMatrix
    let headActivation: KernelActivation
    let classifier: PackedMatrix
    let classifierOffsets: OffsetTable
    let featureOffsets: OffsetTable
    let singleTap: OffsetTable
    /// The padded image that the stem reads.
    let imageRowPitch: Int
    let imageRows: Int
    let imageTop: Int
    let imageLeft: Int
    let zeroRow: ZeroRow

    /// - Throws: `InferenceError.inputTooSmall` where the size is not positive.
    public init(
        graph: Graph, table: KernelTable = .fastest, inputHeight: Int? = nil, inputWidth: Int? = nil,
        normalisation: Normalisation = .imageNet
    ) throws(InferenceError) {
        architecture = graph.architecture
        self.table = table
        let height = inputHeight ?? architecture.inputSize
        let width = inputWidth ?? architecture.inputSize
        guard (1...Self.mostPixelsASide).contains(height), (1...Self.mostPixelsASide).contains(width) else {
            throw .inputSize(height: height, width: width, limit: Self.mostPixelsASide)
        }
        self.inputHeight = height
        self.inputWidth = width
        self.normalisation = normalisation
        let padding = architecture.padding
        let stem = graph.segments[0].front!
        imageTop = padding.before(size: height, kernel: stem.kernel, stride: stem.stride)
        imageLeft = padding.before(size: width, kernel: stem.kernel, stride: stem.stride)
        let outHeight = padding.outputSize(of: height, kernel: stem.kernel, stride: stem.stride)
        let outWidth = padding.outputSize(of: width, kernel: stem.kernel, stride: stem.stride)
        imageRows = max(height + imageTop, (outHeight - 1) * stem.stride + stem.kernel)
        let imageColumns = max(width + imageLeft, (outWidth - 1) * stem.stride + stem.kernel)
        imageRowPitch = imageColumns * architecture.inputChannels

        var shape = TensorShape(height: height, width: width, channels: architecture.inputChannels)
        var segments: [SegmentPlan] = []
        for (index, segment) in graph.segments.enumerated() {
            let plan = SegmentPlan(
                segment, input: shape, padding: padding, table: table, imageRowPitch: index == 0 ? imageRowPitch : nil)
            segments.append(plan)
            shape = plan.output
        }
        self.segments = segments
        firstBatched =
            segments.firstIndex { if case .slices = $0.strategy { true } else { false } } ?? segments.count
        head = PackedMatrix(graph.head, table: table)
        headActivation = graph.head.activation
        classifier = PackedMatrix(graph.classifier, table: table)
        featureOffsets = OffsetTable(count: Session.mostImages, step: channelStride(graph.head.outputs))
        classifierOffsets = OffsetTable(count: Session.mostImages, step: channelStride(graph.classifier.outputs))
        singleTap = OffsetTable([0])
        zeroRow = ZeroRow(count: segments.map { $0.paddedWidth * $0.middle.stride }.max()!)
        multiplyAccumulates =
            segments.map(\.multiplyAccumulates).reduce(0, +)
            + shape.pixels * graph.head.outputs * graph.head.inputs
            + graph.classifier.inputs * graph.classifier.outputs
    }

    /// Number of classes.
    public var classCount: Int { classifier.columns }
    /// Length of the pooled features before the classifier.
    public var featureCount: Int { head.columns }
    /// Pictures larger than this are no classifier's input.
    public static let mostPixelsASide = 4096

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

/// What can go wrong between a graph and its answers.
public enum InferenceError: Error, Equatable, Sendable, CustomStringConvertible {
    case inputSize(height: Int, width: Int, limit: Int)
    /// A tensor with values that are not finite, or with a negative variance.
    case impossibleWeights(tensor: String)

    public var description: String {
        switch self {
        case .inputSize(let height, let width, let limit):
            "an input of \(width)×\(height) pixels; each side must be between 1 and \(limit)"
        case .impossibleWeights(let tensor):
            "'\(tensor)' has values that are not finite, or a negative variance"
        }
    }
}

extension SegmentPlan {
    /// Of one image.
    var multiplyAccumulates: Int {
        var sum = 0
        if let front { sum += middle.pixels * front.matrix.depth * front.matrix.columns }
        if let depthwise { sum += output.pixels * depthwise.channels * depthwise.kernel * depthwise.kernel }
        if let squeeze {
            sum += squeeze.reduce.depth * squeeze.reduce.columns + squeeze.expand.depth * squeeze.expand.columns
        }
        if let projection { sum += output.pixels * projection.depth * projection.columns }
        return sum
    }
}
