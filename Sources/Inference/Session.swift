import Kernels
import Parallelism
import Tensors

/// One image for a session, in memory that lives until `run` returns.
public enum UnsafeInput {
    /// `[height][width][3]` interleaved RGB, tightly packed; normalised by the plan.
    case rgb(UnsafePointer<UInt8>)
    /// `[3][height][width]`, normalised already.
    case planar(UnsafePointer<Float>)
}

/// The memory of one batch in flight. Belongs to one worker.
public struct Session: ~Copyable {
    /// No batch is larger than this.
    public static let mostImages = 256

    public let plan: Plan
    /// Images that fit.
    public let capacity: Int
    private let image: AlignedBuffer<Float>
    private let arena: AlignedBuffer<Float>
    private let features: AlignedBuffer<Float>
    private let logits: AlignedBuffer<Float>
    private let offsets: [Int]

    /// - Precondition: `capacity` is between 1 and `mostImages`.
    public init(plan: Plan, capacity: Int) {
        precondition((1...Self.mostImages).contains(capacity), "a session for \(capacity) images")
        self.plan = plan
        self.capacity = capacity
        image = AlignedBuffer(count: plan.imageRows * plan.imageRowPitch)
        let memory = MemoryPlan(plan.tensors(images: capacity))
        offsets = memory.offsets
        arena = AlignedBuffer(count: memory.total)
        features = AlignedBuffer(count: capacity * channelStride(plan.featureCount))
        logits = AlignedBuffer(count: capacity * channelStride(plan.classCount))
    }

    /// Bytes that the session holds, without the threads' scratch.
    public var bytes: Int { 4 * (image.count + arena.count + features.count + logits.count) }

    /// Computes features and logits of `inputs`; the scope's idle workers help.
    ///
    /// Numerics: an image's results have the same bits whatever else is in the batch and whoever helps.
    /// - Precondition: 1 to `capacity` inputs; `scratch` has the slots of the scope's pool.
    public mutating func run(_ inputs: [UnsafeInput], in scope: ParallelScope, scratch: ThreadScratch) {
        precondition((1...capacity).contains(inputs.count), "\(inputs.count) images in a session for \(capacity)")
        let execution = Execution(
            plan: plan, image: image.pointer, arena: arena.pointer, offsets: offsets, features: features.pointer,
            logits: logits.pointer, scope: scope, scratch: scratch)
        for (index, input) in inputs.enumerated() {
            execution.load(input)
            for segment in 0..<plan.firstBatched { execution.run(segment, images: index..<index + 1) }
        }
        for segment in plan.firstBatched..<plan.segments.count {
            if segment == 0 { preconditionFailure("the stem reads one image at a time") }
            execution.run(segment, images: 0..<inputs.count)
        }
        execution.runHead(images: inputs.count)
    }

    /// `[classes]` of image `index` of the last run.
    public borrowing func logits(of index: Int) -> [Float] {
        precondition((0..<capacity).contains(index), "image \(index) of \(capacity)")
        let start = logits.pointer + index * channelStride(plan.classCount)
        return Array(UnsafeBufferPointer(start: start, count: plan.classCount))
    }

    /// The pooled features before the classifier, `[features]`, of image `index` of the last run.
    public borrowing func features(of index: Int) -> [Float] {
        precondition((0..<capacity).contains(index), "image \(index) of \(capacity)")
        let start = features.pointer + index * channelStride(plan.featureCount)
        return Array(UnsafeBufferPointer(start: start, count: plan.featureCount))
    }
}
