import EfficientNet
import Kernels
import Parallelism

/// Neighbouring segments of a quantised network that were kept in floating point: bytes, or the picture, in, bytes out.
///
/// Numerics: as the engine in floating point, whose bits are the same on all instruction sets with fused multiply-add.
struct KeptStretch: Sendable {
    let plan: FloatPlan
    let input: ByteShape
    let output: ByteShape
    /// What the bytes that it reads stand for; nil where it reads the picture.
    private let inputQuantization: AffineQuantization?
    /// Reciprocals of what the bytes that it writes are worth, and their zero point.
    private let reciprocals: [Float]
    private let zeroPoint: Float
    /// The tensors between the segments of one image, behind the stretch's own input.
    private let memory: MemoryPlan

    init(
        _ segments: [Segment], input: ByteShape, inputQuantization: AffineQuantization?,
        outputQuantization: AffineQuantization, graph: QuantizedGraph, table: KernelTable
    ) {
        self.input = input
        self.inputQuantization = inputQuantization
        plan = FloatPlan(
            kept: segments, input: TensorShape(height: input.height, width: input.width, channels: input.channels),
            readsPicture: inputQuantization == nil, architecture: graph.architecture, table: table,
            normalisation: graph.normalisation)
        let last = plan.segments[plan.segments.count - 1].output
        output = ByteShape(height: last.height, width: last.width, channels: last.channels)
        reciprocals = (0..<output.channels).map { Float(1 / Double(outputQuantization.scale(of: $0))) }
        zeroPoint = Float(outputQuantization.zeroPoint)
        memory = MemoryPlan(plan.tensors(images: 1))
    }

    /// Of the input: the padded picture, or the bytes' values.
    private var inputSize: Int {
        let size = inputQuantization == nil ? plan.imageRows * plan.imageRowPitch : plan.segments[0].input.size
        return (size + 15) / 16 * 16
    }

    /// Of a session. Units: floats.
    var arenaSize: Int { inputSize + memory.total }

    /// Computes one image.
    ///
    /// - Parameters:
    ///   - arena: `arenaSize` floats.
    ///   - source: the bytes of `input`; or the picture.
    func run(
        arena: UnsafeMutablePointer<Float>, source: UnsafePointer<UInt8>, picture: UnsafeInput,
        into result: UnsafeMutablePointer<UInt8>, scope: ParallelScope, scratch: ThreadScratch
    ) {
        let execution = Execution(
            plan: plan, image: arena, arena: arena + inputSize, offsets: memory.offsets, features: arena,
            logits: arena, scope: scope, scratch: scratch, profile: nil)
        if let inputQuantization {
            read(source, inputQuantization, into: arena)
        } else {
            arena.update(repeating: 0, count: inputSize)
            execution.load(picture)
        }
        for segment in plan.segments.indices { execution.run(segment, images: 0..<1) }
        let last = plan.segments.count - 1
        write(execution.tensors(last, image: 0).output, into: result)
    }

    private func read(
        _ source: UnsafePointer<UInt8>, _ quantization: AffineQuantization, into values: UnsafeMutablePointer<Float>
    ) {
        let stride = plan.segments[0].input.stride
        let zeroPoint = Int(quantization.zeroPoint)
        for channel in 0..<input.channels {
            let scale = quantization.scale(of: channel)
            for pixel in 0..<input.pixels {
                values[pixel * stride + channel] =
                    Float(Int(source[pixel * input.stride + channel]) - zeroPoint) * scale
            }
        }
    }

    private func write(_ values: UnsafePointer<Float>, into result: UnsafeMutablePointer<UInt8>) {
        let stride = channelStride(output.channels)
        for pixel in 0..<output.pixels {
            for channel in 0..<output.channels {
                let steps = values[pixel * stride + channel] * reciprocals[channel]
                result[pixel * output.stride + channel] = quantizedByte(steps + zeroPoint)
            }
        }
    }
}

/// What a plan in bytes does between two stored tensors.
enum ByteStep: Sendable {
    case bytes(ByteSegmentPlan)
    case kept(KeptStretch)

    var input: ByteShape {
        switch self {
        case .bytes(let segment): segment.input
        case .kept(let stretch): stretch.input
        }
    }
    var output: ByteShape {
        switch self {
        case .bytes(let segment): segment.output
        case .kept(let stretch): stretch.output
        }
    }
    /// Of the stored blocks. Units: bytes.
    var innerSize: Int {
        if case .bytes(let segment) = self, segment.storesInner { segment.innerSize } else { 0 }
    }
    /// Units: bytes.
    var sumsSize: Int { if case .bytes(let segment) = self { segment.sumsSize } else { 0 } }
    var isSliced: Bool { if case .bytes(let segment) = self { segment.isSliced } else { false } }
    var multiplyAccumulates: Int {
        switch self {
        case .bytes(let segment): segment.multiplyAccumulates
        case .kept(let stretch): stretch.plan.multiplyAccumulates
        }
    }
}
