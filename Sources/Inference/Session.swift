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
    /// The padded picture that the stem reads: floats, or bytes.
    private let image: AlignedBuffer<Float>
    private let arena: AlignedBuffer<Float>
    /// Where each tensor lies in the arena. Units: floats.
    private let offsets: [Int]
    private let features: AlignedBuffer<Float>
    /// What the classifier of a plan in bytes reads.
    private let featureBytes: AlignedBuffer<UInt8>
    private let logits: AlignedBuffer<Float>
    /// Of what a plan in bytes keeps in floating point.
    private let keptArena: AlignedBuffer<Float>

    /// - Precondition: `capacity` is between 1 and `mostImages`.
    public init(plan: Plan, capacity: Int) {
        precondition((1...Self.mostImages).contains(capacity), "a session for \(capacity) images")
        self.plan = plan
        self.capacity = capacity
        let memory: MemoryPlan
        switch plan.network {
        case .float(let plan):
            image = AlignedBuffer(count: plan.imageRows * plan.imageRowPitch)
            memory = MemoryPlan(plan.tensors(images: capacity))
            featureBytes = AlignedBuffer(count: 0)
            keptArena = AlignedBuffer(count: 0)
        case .bytes(let plan):
            image = AlignedBuffer(count: (plan.imageRows * plan.imageRowPitch + BytePlan.slack) / 4 + 1)
            memory = MemoryPlan(plan.tensors(images: capacity))
            featureBytes = AlignedBuffer(count: capacity * channelStride(plan.featureCount))
            keptArena = AlignedBuffer(count: plan.keptArenaSize)
            plan.padImage(Self.bytes(of: image.pointer))
        }
        offsets = memory.offsets
        arena = AlignedBuffer(count: memory.total)
        features = AlignedBuffer(count: capacity * channelStride(plan.featureCount))
        logits = AlignedBuffer(count: capacity * channelStride(plan.classCount))
    }

    private static func bytes(of floats: UnsafeMutablePointer<Float>) -> UnsafeMutablePointer<UInt8> {
        UnsafeMutableRawPointer(floats).assumingMemoryBound(to: UInt8.self)
    }

    /// Bytes that the session holds, without the threads' scratch.
    public var bytes: Int {
        4 * (image.count + arena.count + features.count + logits.count + keptArena.count) + featureBytes.count
    }

    /// Computes features and logits of `inputs`; the scope's idle workers help.
    ///
    /// Numerics: an image's results have the same bits whatever else is in the batch and whoever helps.
    /// - Precondition: 1 to `capacity` inputs; `scratch` has the slots of the scope's pool.
    /// - Parameter profile: of the same plan; what the run's time is added to.
    public mutating func run(
        _ inputs: [UnsafeInput], in scope: ParallelScope, scratch: ThreadScratch, profile: RunProfile? = nil
    ) {
        precondition((1...capacity).contains(inputs.count), "\(inputs.count) images in a session for \(capacity)")
        switch plan.network {
        case .float(let plan):
            let execution = execution(of: plan, in: scope, scratch: scratch, profile: profile)
            for (index, input) in inputs.enumerated() {
                execution.timedBlock(0) { execution.timed(.image, slot: scope.slot) { execution.load(input) } }
                for segment in 0..<plan.firstBatched { execution.run(segment, images: index..<index + 1) }
            }
            for segment in plan.firstBatched..<plan.segments.count {
                if segment == 0 { preconditionFailure("the stem reads one image at a time") }
                execution.run(segment, images: 0..<inputs.count)
            }
            execution.runHead(images: inputs.count)
        case .bytes(let plan):
            execution(of: plan, inputs, in: scope, scratch: scratch, profile: profile).run()
        }
    }

    /// What the head has read of image `index` of the last run, for `Plan.activationMaps`.
    ///
    /// - Precondition: `scope` and `scratch` as of the run.
    public borrowing func headInput(
        of index: Int, in scope: ParallelScope, scratch: ThreadScratch
    ) -> HeadInput {
        precondition((0..<capacity).contains(index), "image \(index) of \(capacity)")
        return switch plan.network {
        case .float(let plan):
            execution(of: plan, in: scope, scratch: scratch, profile: nil).headInput(image: index)
        case .bytes(let plan):
            execution(of: plan, [], in: scope, scratch: scratch, profile: nil).headInput(image: index)
        }
    }

    private borrowing func execution(
        of plan: FloatPlan, in scope: ParallelScope, scratch: ThreadScratch, profile: RunProfile?
    ) -> Execution {
        Execution(
            plan: plan, image: image.pointer, arena: arena.pointer, offsets: offsets, features: features.pointer,
            logits: logits.pointer, scope: scope, scratch: scratch, profile: profile)
    }

    private borrowing func execution(
        of plan: BytePlan, _ inputs: [UnsafeInput], in scope: ParallelScope, scratch: ThreadScratch,
        profile: RunProfile?
    ) -> ByteExecution {
        ByteExecution(
            plan: plan, table: self.plan.table, image: Self.bytes(of: image.pointer), arena: arena.pointer,
            offsets: offsets, featureBytes: featureBytes.pointer, features: features.pointer, logits: logits.pointer,
            keptArena: keptArena.pointer, inputs: inputs, scope: scope, scratch: scratch, profile: profile)
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
