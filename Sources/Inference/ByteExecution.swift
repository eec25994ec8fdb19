import Kernels
import Parallelism

/// One run of a session in bytes: where its tensors lie, and who helps.
struct ByteExecution {
    let plan: BytePlan
    let table: KernelTable
    /// The padded picture.
    let image: UnsafeMutablePointer<UInt8>
    let arena: UnsafeMutableRawPointer
    /// Units: floats.
    let offsets: [Int]
    /// Bytes of the classifier's input, and the real features.
    let featureBytes: UnsafeMutablePointer<UInt8>
    let features: UnsafeMutablePointer<Float>
    let logits: UnsafeMutablePointer<Float>
    /// Of the stretches kept in floating point.
    let keptArena: UnsafeMutablePointer<Float>
    let inputs: [UnsafeInput]
    let scope: ParallelScope
    let scratch: ThreadScratch
    let profile: RunProfile?

    /// Tasks for each thread that may take part: more balance the load, fewer share less work.
    static let tasksPerThread = 1

    /// The tensors of one step and one image.
    struct Tensors {
        let input: UnsafeMutablePointer<UInt8>
        let output: UnsafeMutablePointer<UInt8>
        /// Blocks that the projection reads, where they are stored.
        let inner: UnsafeMutablePointer<UInt8>
        /// Sums of bytes of each row, then the mean, the squeezed channels and the gate.
        let sums: UnsafeMutablePointer<Int32>
    }

    func tensors(_ index: Int, image: Int) -> Tensors {
        let step = plan.steps[index]
        func place(_ tensor: Int, _ size: Int, isBatched: Bool) -> UnsafeMutableRawPointer {
            arena + 4 * offsets[tensor] + (isBatched ? image * size : 0)
        }
        let isBatched = index >= plan.firstBatched
        let input =
            index == 0
            ? UnsafeMutableRawPointer(self.image)
            : place(3 * (index - 1), step.input.size, isBatched: isBatched)
        let output = place(3 * index, step.output.size, isBatched: index >= plan.firstBatched - 1)
        return Tensors(
            input: input.assumingMemoryBound(to: UInt8.self), output: output.assumingMemoryBound(to: UInt8.self),
            inner: place(3 * index + 1, step.innerSize, isBatched: isBatched).assumingMemoryBound(to: UInt8.self),
            sums: place(3 * index + 2, step.sumsSize, isBatched: isBatched).assumingMemoryBound(to: Int32.self))
    }

    func run() {
        for image in inputs.indices {
            timedBlock(0) { plan.load(inputs[image], into: self.image) }
            for step in 0..<plan.firstBatched {
                timedBlock(step + 1) { run(step, images: image..<image + 1) }
            }
        }
        for step in plan.firstBatched..<plan.steps.count {
            timedBlock(step + 1) { run(step, images: inputs.indices) }
        }
        timedBlock(plan.steps.count + 1) { runHead(images: inputs.count) }
        timedBlock(plan.steps.count + 2) { runClassifier(images: inputs.count) }
    }

    private func run(_ index: Int, images: Range<Int>) {
        switch plan.steps[index] {
        case .bytes(let segment): run(segment, images.map { tensors(index, image: $0) })
        case .kept(let stretch):
            for image in images {
                let tensors = tensors(index, image: image)
                stretch.run(
                    arena: keptArena, source: tensors.input, picture: inputs[image], into: tensors.output,
                    scope: scope, scratch: scratch)
            }
        }
    }

    /// Runs `body`, and times it as block `index` of `plan.blocks` where the run is profiled.
    @inline(__always)
    private func timedBlock(_ index: Int, _ body: () -> Void) {
        if let profile { profile.measureBlock(index, body) } else { body() }
    }

    /// Cuts `count` units into tasks of whole units, at least `least` each, and runs `body` on each range.
    func forEachRange(of count: Int, atLeast least: Int, _ body: (_ range: Range<Int>, _ slot: Int) -> Void) {
        let width = scope.width
        let tasks = width == 1 ? 1 : max(1, min(width * Self.tasksPerThread, count / least))
        scope.forEach(tasks) { task, slot in body(task * count / tasks..<(task + 1) * count / tasks, slot) }
    }

    /// Head, and its average over the picture.
    private func runHead(images: Int) {
        let last = plan.steps.count - 1
        let shape = plan.steps[last].output
        let head = plan.head
        let groups = head.groups(atMost: max(1, head.columns / ByteSegmentPlan.sliceWidth))
        let featureStride = ByteShape(plan.featureCount).stride
        scope.forEach(groups.count) { task, slot in
            let group = groups[task]
            let first = group.first * table.vectorWidth
            let width = group.vectors * table.vectorWidth
            let pixelStride = ByteShape(width).stride
            withScratch(shape.pixels * (pixelStride + 4) + 4 * width, slot: slot) { cursor in
                let made = cursor.take(shape.pixels * pixelStride, of: UInt8.self)
                let offsets = cursor.take(shape.pixels, of: UInt32.self)
                let sums = cursor.take(width, of: Int32.self)
                for i in 0..<shape.pixels { offsets[i] = UInt32(i * pixelStride) }
                for image in 0..<images {
                    head.multiplyUnsafe(
                        UnsafeByteRows(tensors(last, image: image).output, plan.headOffsets.pointer),
                        taps: plan.singleTap.pointer, into: UnsafeByteResults(made, offsets), rows: shape.pixels,
                        group: group)
                    sums.update(repeating: 0, count: width)
                    table.addPixelsUnsafe(
                        made, pixelStride: pixelStride, count: shape.pixels, channels: width, to: sums)
                    for c in 0..<min(width, plan.featureCount - first) {
                        let at = image * featureStride + first + c
                        featureBytes[at] = plan.featureBytes.byte(Int(sums[c]), channel: first + c)
                        features[at] = plan.featureValues.real(Int(sums[c]), channel: first + c)
                    }
                }
            }
        }
    }

    private func runClassifier(images: Int) {
        let classifier = plan.classifier
        let parts = classifier.groups(atMost: scope.width == 1 ? 1 : 4 * scope.width)
        scope.forEach(parts.count) { task, _ in
            classifier.multiplyUnsafe(
                UnsafeByteRows(featureBytes, plan.featureOffsets.pointer), taps: plan.singleTap.pointer,
                into: UnsafeRows(
                    logits + parts[task].first * table.vectorWidth, plan.classifierOffsets.pointer),
                rows: images, group: parts[task])
        }
    }

    /// Gives `body` a cursor over at least `bytes` bytes of the thread's scratch and room for rounding its parts.
    func withScratch(_ bytes: Int, slot: Int, _ body: (inout ByteCursor) -> Void) {
        scratch.withBytes(bytes, slot: slot, body)
    }
}

extension ThreadScratch {
    /// Gives `body` a cursor over at least `bytes` bytes of the slot's memory and room for rounding its parts.
    func withBytes(_ bytes: Int, slot: Int, _ body: (inout ByteCursor) -> Void) {
        var cursor = ByteCursor(floats((bytes + ByteCursor.rounding) / 4 + 1, slot: slot))
        body(&cursor)
    }
}

/// Hands out parts of one slot's memory.
struct ByteCursor {
    private var next: UnsafeMutableRawPointer
    /// Bytes that up to eight parts may take more than asked for.
    static let rounding = 8 * 64 + BytePlan.slack

    init(_ start: UnsafeMutableRawPointer) { next = start }

    /// `count` elements on a 64-byte boundary.
    mutating func take<Element: BitwiseCopyable>(
        _ count: Int, of type: Element.Type
    ) -> UnsafeMutablePointer<Element> {
        defer { next += (count * MemoryLayout<Element>.stride + 63) / 64 * 64 }
        return next.bindMemory(to: type, capacity: count)
    }
}
