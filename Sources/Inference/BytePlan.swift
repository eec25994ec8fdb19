import EfficientNet
import Kernels
import Tensors

/// A quantised graph made ready for one machine and one input size.
///
/// Concurrency: immutable; shared by all sessions.
final class BytePlan: Sendable {
    let steps: [ByteStep]
    /// Steps before this one run image by image, the others over the whole batch.
    let firstBatched: Int
    let head: PackedByteMatrix
    let classifier: PackedByteMatrix
    /// Of the head's bytes over the picture: what becomes the classifier's bytes, and what stands for real features.
    let featureBytes: QuantizedMean
    let featureValues: QuantizedMean
    let classifierOffsets: OffsetTable
    let featureOffsets: OffsetTable
    let headOffsets: OffsetTable
    let singleTap: OffsetTable
    let multiplyAccumulates: Int

    /// The padded picture that the stem reads.
    let imageRowPitch: Int
    let imageRows: Int
    let imageTop: Int
    let imageLeft: Int
    let inputHeight: Int
    let inputWidth: Int
    let normalisation: Normalisation

    /// Bytes that a product may read behind a row.
    static let slack = 64

    init(
        _ graph: QuantizedGraph, table: KernelTable, inputHeight: Int, inputWidth: Int
    ) throws(InferenceError) {
        let architecture = graph.architecture
        self.inputHeight = inputHeight
        self.inputWidth = inputWidth
        normalisation = graph.normalisation
        let padding = architecture.padding
        let (kernel, stride) = (architecture.stem.kernel, architecture.stem.stride)
        imageTop = padding.before(size: inputHeight, kernel: kernel, stride: stride)
        imageLeft = padding.before(size: inputWidth, kernel: kernel, stride: stride)
        let outHeight = padding.outputSize(of: inputHeight, kernel: kernel, stride: stride)
        let outWidth = padding.outputSize(of: inputWidth, kernel: kernel, stride: stride)
        imageRows = max(inputHeight + imageTop, (outHeight - 1) * stride + kernel)
        imageRowPitch = max(inputWidth + imageLeft, (outWidth - 1) * stride + kernel) * architecture.inputChannels

        var shape = ByteShape(height: inputHeight, width: inputWidth, channels: architecture.inputChannels)
        var steps: [ByteStep] = []
        var kept: [Segment] = []
        // What the bytes before the step stand for; nothing does so for the picture's.
        var quantization: AffineQuantization?
        func endStretch(_ output: AffineQuantization) {
            guard !kept.isEmpty else { return }
            let stretch = KeptStretch(
                kept, input: shape, inputQuantization: quantization, outputQuantization: output, graph: graph,
                table: table)
            steps.append(.kept(stretch))
            shape = stretch.output
            kept = []
        }
        for (index, (layout, block)) in zip(architecture.segmentLayouts, graph.segments).enumerated() {
            switch block {
            case .float(let segment): kept.append(segment)
            case .integer(let segment):
                endStretch(segment.input)
                let plan = try ByteSegmentPlan(
                    segment, layout: layout, input: shape, padding: padding, table: table,
                    image: index == 0 ? (imageRowPitch, graph.normalisation.zeroPoints) : nil)
                steps.append(.bytes(plan))
                shape = plan.output
                quantization = segment.output
            }
        }
        endStretch(graph.headInput)
        self.steps = steps
        firstBatched = steps.firstIndex { $0.isSliced } ?? steps.count
        head = PackedByteMatrix(
            table: table, columns: graph.head.outputs, taps: 1, run: graph.head.inputs, weights: graph.head.weights,
            epilogue: ByteEpilogue(
                try Requantization(
                    graph.head, name: "head", inputZeroPoints: [Double(graph.headInput.zeroPoint)], isDepthwise: false))
        )
        classifier = PackedByteMatrix(
            table: table, columns: graph.classifier.outputs, taps: 1, run: graph.classifier.inputs,
            weights: graph.classifier.weights,
            epilogue: ByteEpilogue(
                try Requantization(
                    graph.classifier, name: "classifier", inputZeroPoints: [Double(graph.features.zeroPoint)],
                    isDepthwise: false)))
        let headOutput = graph.head.output!
        featureBytes = try QuantizedMean(
            of: headOutput, channels: graph.head.outputs, pixels: shape.pixels, output: graph.features,
            name: "features")
        featureValues = try QuantizedMean(
            of: headOutput, channels: graph.head.outputs, pixels: shape.pixels, name: "features")
        featureOffsets = OffsetTable(count: Session.mostImages, step: ByteShape(graph.head.outputs).stride)
        classifierOffsets = OffsetTable(count: Session.mostImages, step: channelStride(graph.classifier.outputs))
        headOffsets = OffsetTable(count: shape.pixels, step: shape.stride)
        singleTap = OffsetTable([0])
        multiplyAccumulates =
            steps.map(\.multiplyAccumulates).reduce(0, +)
            + shape.pixels * graph.head.outputs * graph.head.inputs
            + graph.classifier.inputs * graph.classifier.outputs
    }

    var classCount: Int { classifier.columns }
    var featureCount: Int { head.columns }

    /// What the stretches kept in floating point need, one at a time. Units: floats.
    var keptArenaSize: Int {
        steps.map { if case .kept(let stretch) = $0 { stretch.arenaSize } else { 0 } }.max() ?? 0
    }

    /// The tensors between steps, for a batch of `images`: outputs, blocks, sums. Units of the sizes: floats.
    func tensors(images: Int) -> [MemoryPlan.Tensor] {
        var tensors: [MemoryPlan.Tensor] = []
        for (index, step) in steps.enumerated() {
            let batch = index >= firstBatched ? images : 1
            // The last tensor made image by image gathers the batch while later images still run.
            let isBoundary = index == firstBatched - 1
            func add(_ bytes: Int, _ images: Int, _ lifetime: ClosedRange<Int>) {
                tensors.append(.init(size: (bytes * images + Self.slack + 3) / 4, lifetime: lifetime))
            }
            add(step.output.size, isBoundary ? images : batch, (isBoundary ? 0 : index)...index + 1)
            add(step.innerSize, batch, index...index)
            add(step.sumsSize, batch, index...index)
        }
        return tensors
    }
}

extension BytePlan {
    /// Fills the padded picture with what lies outside a picture.
    func padImage(_ image: UnsafeMutablePointer<UInt8>) {
        let outside = normalisation.paddingBytes
        for i in 0..<imageRows * imageRowPitch { image[i] = outside[i % 3] }
    }

    /// Copies `input` into the padded picture; values that are normalised already become the nearest bytes.
    func load(_ input: UnsafeInput, into image: UnsafeMutablePointer<UInt8>) {
        let start = image + imageTop * imageRowPitch + imageLeft * 3
        switch input {
        case .rgb(let pixels):
            for y in 0..<inputHeight {
                (start + y * imageRowPitch).update(from: pixels + y * inputWidth * 3, count: inputWidth * 3)
            }
        case .planar(let values):
            for c in 0..<3 {
                let (scale, shift) = (255 * normalisation.standardDeviation[c], 255 * normalisation.mean[c])
                for y in 0..<inputHeight {
                    let row = start + y * imageRowPitch + c
                    let from = values + (c * inputHeight + y) * inputWidth
                    for x in 0..<inputWidth {
                        let scaled = from[x] * scale
                        row[3 * x] = quantizedByte(scaled + shift)
                    }
                }
            }
        }
    }
}

extension ByteShape {
    /// One vector.
    init(_ channels: Int) { self.init(height: 1, width: 1, channels: channels) }
}

extension ByteSegmentPlan {
    /// Of a row's sums of bytes, the mean, the squeezed channels and the gate. Units: 32-bit numbers.
    var sumsPitch: Int { groupPitch / 4 }
    /// Sums of each row, or of the picture where it is sliced, then mean, squeezed channels and gate. Units: bytes.
    var sumsSize: Int { squeeze == nil ? 0 : 4 * (output.height + 3) * max(sumsPitch, channelStride(middle.channels)) }
}
