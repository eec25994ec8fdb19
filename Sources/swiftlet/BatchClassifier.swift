import Classification
import Imaging
import Inference
import Parallelism

/// What a model says about one image.
struct ClassifiedImage: Sendable {
    /// Units: pixels, after EXIF orientation.
    let width: Int
    /// Units: pixels, after EXIF orientation.
    let height: Int
    /// The most probable first.
    let predictions: [Prediction]
}

/// Why an image could not be classified.
enum ImageFailure: Error, Equatable, CustomStringConvertible {
    case source(ImageSourceError)
    case image(ImageError)

    var description: String {
        switch self {
        case .source(let error): "\(error)"
        case .image(let error): "\(error)"
        }
    }
}

/// Reads, decodes and classifies batches of images, one after the other. Belongs to one worker.
struct BatchClassifier: ~Copyable {
    private let model: ClassifierModel
    private let topK: Int
    private let pool: WorkerPool
    private let scratch: ThreadScratch
    private var session: Session
    private var decoder: ImageDecoder

    /// - Precondition: `capacity` is one that a session may have, `topK` at most the number of classes.
    init(
        model: ClassifierModel, topK: Int, capacity: Int, limits: ImageLimits, pool: WorkerPool, scratch: ThreadScratch
    ) {
        self.model = model
        self.topK = topK
        self.pool = pool
        self.scratch = scratch
        session = Session(plan: model.plan, capacity: capacity)
        decoder = ImageDecoder(limits: limits)
    }

    /// One result for each source, in order.
    /// - Precondition: no more sources than the capacity.
    mutating func classify(_ sources: ArraySlice<ImageSource>) -> [Result<ClassifiedImage, ImageFailure>] {
        let prepared = sources.map { prepare($0) }
        let images = prepared.compactMap { try? $0.get() }
        if !images.isEmpty {
            pool.withScope { scope in
                session.run(images.map { .rgb($0.unsafePixels) }, in: scope, scratch: scratch)
            }
        }
        withExtendedLifetime(images) {}
        var place = 0
        return prepared.map { result in
            result.map { image in
                defer { place += 1 }
                return ClassifiedImage(
                    width: image.sourceWidth, height: image.sourceHeight,
                    predictions: Prediction.top(topK, logits: session.logits(of: place)))
            }
        }
    }

    private mutating func prepare(_ source: ImageSource) -> Result<PreparedImage, ImageFailure> {
        let bytes: [UInt8]
        do throws(ImageSourceError) { bytes = try source.read() } catch { return .failure(.source(error)) }
        do throws(ImageError) { return .success(try decoder.prepare(bytes.span, model.preprocessing)) } catch {
            return .failure(.image(error))
        }
    }
}
