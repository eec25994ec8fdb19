import Checkpoints
import Classification
import Imaging
import Inference
import Parallelism
import Tensors

/// One model held to what it should compute.
struct Selftest {
    private let stored: StoredModel
    private let settings: Settings
    private let model: ClassifierModel
    private let digest: String
    private let loadSeconds: Double
    private let clock = MonotonicClock()

    /// How far a logit may be off: kernels without fused multiply-add round differently. Beyond 1, in proportion.
    static let tolerance: Float = 1e-3

    /// Loads the model.
    /// - Throws: what `ClassifierModel` and the reading of its weights throw.
    init(_ stored: StoredModel, _ settings: Settings) throws {
        self.stored = stored
        self.settings = settings
        let start = clock.now()
        let weights = try stored.readWeights()
        model = try ClassifierModel(stored, weights: weights, table: settings.kernelTable())
        loadSeconds = clock.now().seconds(since: start)
        digest = weights.sha256
    }

    var goldenPath: String { "\(stored.directory)/\(GoldenImages.fileName)" }

    func label(_ index: Int) -> String {
        model.labels.indices.contains(index) ? model.labels[index] : "a class that the model has not"
    }

    /// What the model says of images, to be held to later.
    /// - Throws: `ImageError` of the first that cannot be read.
    func golden(of images: [(name: String, bytes: [UInt8])]) throws -> GoldenImages {
        let prepared = try prepare(images.map(\.bytes))
        let logits = Machine.with(model, threads: settings.threadCount, capacity: 1) { machine in
            prepared.map { machine.run([.prepared($0)])[0] }
        }
        return GoldenImages(
            weightsSha256: digest,
            images: zip(images, logits).map { image, logits in
                let classes = Prediction.largest(min(GoldenImages.predictionCount, logits.count), of: logits)
                return .init(
                    name: image.name, b64: .init(image.bytes),
                    predictions: classes.map { .init(index: $0, logit: logits[$0]) })
            })
    }

    private func prepare(_ images: [[UInt8]]) throws -> [PreparedImage] {
        var decoder = ImageDecoder(limits: settings.imageLimits)
        return try images.map { try decoder.prepare($0.span, model.preprocessing) }
    }

    /// - Throws: `GoldenFault` where the model's selftest.json cannot be read, `ImageError` for its images.
    func run() throws -> SelftestReport {
        var report = SelftestReport(model, loadSeconds: loadSeconds)
        let golden = try GoldenImages(path: goldenPath)
        if let golden, golden.weightsSha256 != digest {
            report.fault("selftest.json is of other weights, whose SHA-256 is \(golden.weightsSha256.prefix(12))…")
        }
        let images = try prepare(golden?.images.map { Array($0.b64) } ?? [])
        let plan = model.plan
        let pictures =
            images.map { Picture.prepared($0) } + Picture.synthetic(height: plan.inputHeight, width: plan.inputWidth)
        let capacity = min(max(2, settings.maxBatchSize), Session.mostImages)

        let threads = settings.threadCount
        let (alone, times, together) = Machine.with(model, threads: threads, capacity: capacity) { machine in
            // What runs first is slower: weights are not in the caches.
            _ = machine.run([pictures[0]])
            var times: [Double] = []
            let alone = pictures.map { picture in
                let start = clock.now()
                defer { times.append(clock.now().seconds(since: start)) }
                return machine.run([picture])[0]
            }
            return (alone, times, machine.runInBatches(pictures))
        }
        let otherThreads = threads == 1 ? 2 : 1
        let elsewhere = Machine.with(model, threads: otherThreads, capacity: capacity) {
            $0.runInBatches(pictures.reversed())
        }

        for (index, image) in (golden?.images ?? []).enumerated() {
            report.add(check(image, alone[index]), images[index], computeSeconds: times[index])
        }
        report.add(
            "logits are finite", of: pictures.count,
            failures: alone.count { !$0.allSatisfy(\.isFinite) })
        // A model that gives all the same answer has not looked.
        let isBlind = alone.allSatisfy { $0.map(\.bitPattern) == alone[0].map(\.bitPattern) }
        report.add("logits follow the picture", of: pictures.count, failures: isBlind ? pictures.count : 0)
        report.add(
            "same bits in a batch of \(min(capacity, pictures.count))", of: pictures.count,
            failures: zip(alone, together).count { $0.map(\.bitPattern) != $1.map(\.bitPattern) })
        report.add(
            "same bits on \(otherThreads == 1 ? "1 thread" : "2 threads"), in another order", of: pictures.count,
            failures: zip(alone, elsewhere.reversed()).count { $0.map(\.bitPattern) != $1.map(\.bitPattern) })
        report.hasGolden = golden != nil
        return report
    }

    private func check(_ image: GoldenImages.Image, _ logits: [Float]) -> SelftestReport.Image {
        let expected = image.predictions[0].index
        let found = Prediction.largest(1, of: logits)[0]
        var difference: Float = 0
        var isWithin = true
        for prediction in image.predictions {
            guard logits.indices.contains(prediction.index) else {
                isWithin = false
                continue
            }
            let off = abs(logits[prediction.index] - prediction.logit)
            difference = max(difference, off)
            // A logit that is not a number is off, too.
            isWithin = isWithin && off <= Self.tolerance * max(1, abs(prediction.logit))
        }
        return .init(
            name: image.name, expected: "\(expected) \(label(expected))", found: "\(found) \(label(found))",
            logitDifference: difference.isFinite ? difference : nil, isRight: found == expected && isWithin)
    }
}

/// What is computed: an image that has been prepared, or pixels that nobody has photographed.
private enum Picture {
    case prepared(PreparedImage)
    case pixels([UInt8])

    /// Black, white, a ramp and noise: the ends of what may come.
    static func synthetic(height: Int, width: Int) -> [Picture] {
        let count = height * width * 3
        var state: UInt32 = 1
        let noise = (0..<count).map { _ -> UInt8 in
            state = state &* 1_664_525 &+ 1_013_904_223
            return UInt8(state >> 24)
        }
        return [
            .pixels([UInt8](repeating: 0, count: count)), .pixels([UInt8](repeating: 255, count: count)),
            .pixels((0..<count).map { UInt8(255 * ($0 / 3 % width) / max(1, width - 1)) }), .pixels(noise),
        ]
    }
}

/// A session and the threads that work in it.
private struct Machine: ~Copyable {
    private var session: Session
    private let pool: WorkerPool
    private let scratch: ThreadScratch

    private init(model: ClassifierModel, threads: Int, capacity: Int) {
        session = Session(plan: model.plan, capacity: capacity)
        pool = WorkerPool(workerCount: threads)
        scratch = ThreadScratch(slotCount: pool.slotCount)
    }

    /// Lends a machine to `body`, and ends its threads.
    static func with<Result>(
        _ model: ClassifierModel, threads: Int, capacity: Int, _ body: (inout Machine) -> Result
    ) -> Result {
        var machine = Machine(model: model, threads: threads, capacity: capacity)
        defer { machine.pool.shutdown() }
        return body(&machine)
    }

    /// The logits of each picture.
    mutating func run(_ pictures: [Picture]) -> [[Float]] {
        // Memory that stays where it is until the run is over.
        var copies: [UnsafeMutableBufferPointer<UInt8>] = []
        defer { for copy in copies { copy.deallocate() } }
        let inputs = pictures.map { picture -> UnsafeInput in
            switch picture {
            case .prepared(let image): return .rgb(image.unsafePixels)
            case .pixels(let bytes):
                let copy = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: bytes.count)
                _ = copy.initialize(from: bytes)
                copies.append(copy)
                return .rgb(UnsafePointer(copy.baseAddress!))
            }
        }
        pool.withScope { session.run(inputs, in: $0, scratch: scratch) }
        withExtendedLifetime(pictures) {}
        return pictures.indices.map { session.logits(of: $0) }
    }

    mutating func runInBatches(_ pictures: [Picture]) -> [[Float]] {
        var logits: [[Float]] = []
        while logits.count < pictures.count {
            logits += run(Array(pictures[logits.count..<min(pictures.count, logits.count + session.capacity)]))
        }
        return logits
    }
}
