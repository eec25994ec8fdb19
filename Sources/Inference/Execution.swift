import Kernels
import Parallelism

/// One run of a session: where its tensors lie, and who helps.
struct Execution {
    let plan: FloatPlan
    let image: UnsafeMutablePointer<Float>
    let arena: UnsafeMutablePointer<Float>
    let offsets: [Int]
    let features: UnsafeMutablePointer<Float>
    let logits: UnsafeMutablePointer<Float>
    let scope: ParallelScope
    let scratch: ThreadScratch
    let profile: RunProfile?

    /// Tasks for each thread that may take part: more balance the load, fewer share less work.
    private static let tasksPerThread = 1

    /// The tensors of one segment and one image.
    struct Tensors {
        let input: UnsafeMutablePointer<Float>
        let output: UnsafeMutablePointer<Float>
        /// What goes into the projection, where it is stored.
        let inner: UnsafeMutablePointer<Float>
        /// Sums of `inner` over each row, then their mean, the squeezed channels and the gate.
        let sums: UnsafeMutablePointer<Float>
    }

    func tensors(_ index: Int, image: Int) -> Tensors {
        let segment = plan.segments[index]
        func place(_ tensor: Int, _ size: Int, isBatched: Bool) -> UnsafeMutablePointer<Float> {
            arena + offsets[tensor] + (isBatched ? image * size : 0)
        }
        let isBatched = index >= plan.firstBatched
        return Tensors(
            input: index == 0
                ? self.image
                : place(3 * (index - 1), segment.input.size, isBatched: index >= plan.firstBatched),
            output: place(3 * index, segment.output.size, isBatched: index >= plan.firstBatched - 1),
            inner: place(3 * index + 1, segment.innerPixels * segment.middle.stride, isBatched: isBatched),
            sums: place(3 * index + 2, (segment.output.height + 3) * segment.middle.stride, isBatched: isBatched))
    }

    /// Writes `input`, normalised, into the padded image; the padding has been zero since the session was made.
    func load(_ input: UnsafeInput) {
        let channels = plan.architecture.inputChannels
        let (height, width) = (plan.inputHeight, plan.inputWidth)
        let start = image + plan.imageTop * plan.imageRowPitch + plan.imageLeft * channels
        switch input {
        case .rgb(let pixels):
            let scale = plan.normalisation.scale
            let shift = plan.normalisation.shift
            for y in 0..<height {
                plan.table.normaliseRowUnsafe(
                    pixels + y * width * channels, width: width, scale: scale, shift: shift,
                    into: start + y * plan.imageRowPitch)
            }
        case .planar(let values):
            for y in 0..<height {
                let row = start + y * plan.imageRowPitch
                let (red, green, blue) = (
                    values + y * width, values + (height + y) * width, values + (2 * height + y) * width
                )
                for x in 0..<width {
                    row[3 * x] = red[x]
                    row[3 * x + 1] = green[x]
                    row[3 * x + 2] = blue[x]
                }
            }
        }
    }

    func run(_ index: Int, images: Range<Int>) {
        let segment = plan.segments[index]
        timedBlock(index + 1) {
            switch segment.strategy {
            case .rows(let rowsAtOnce):
                for image in images { runRows(segment, tensors(index, image: image), rowsAtOnce: rowsAtOnce) }
            case .slices:
                runSlices(index, images: images)
            }
        }
    }

    /// Cuts `count` units into tasks of whole units, at least `least` each, and runs `body` on each range.
    func forEachRange(of count: Int, atLeast least: Int, _ body: (_ range: Range<Int>, _ slot: Int) -> Void) {
        let width = scope.width
        let tasks = width == 1 ? 1 : max(1, min(width * Self.tasksPerThread, count / least))
        scope.forEach(tasks) { task, slot in body(task * count / tasks..<(task + 1) * count / tasks, slot) }
    }
}
