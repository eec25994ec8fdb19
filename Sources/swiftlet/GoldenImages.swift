import Classification
import FoundationEssentials
import Tensors

/// Images, and what a model is known to say of them: `selftest.json` beside the model.
struct GoldenImages: Codable, Equatable {
    /// Of the weights that said it; others say something else.
    var weightsSha256: String
    var images: [Image]

    struct Image: Codable, Equatable {
        var name: String
        /// The file, in base64.
        var b64: Data
        /// The most probable classes, the most probable first.
        var predictions: [Prediction]
    }

    struct Prediction: Codable, Equatable {
        var index: Int
        var logit: Float
    }

    static let fileName = "selftest.json"
    static let predictionCount = 5
    // Who brings a model need not be trusted.
    private static let maximumBytes = 16 << 20
    private static let maximumImages = 32
    private static let maximumNameBytes = 256

    /// - Returns: nil where there is no such file.
    /// - Throws: `GoldenFault`.
    init?(path: String) throws(GoldenFault) {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        let file: MappedFile
        do throws(TensorFileError) { file = try MappedFile(path: path) } catch {
            throw GoldenFault(path: path, reason: "\(error)")
        }
        guard file.count <= Self.maximumBytes else {
            throw GoldenFault(path: path, reason: "\(file.count) bytes are more than \(Self.maximumBytes)")
        }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        do { self = try decoder.decode(Self.self, from: file.withBytes { Data($0) }) } catch {
            throw GoldenFault(
                path: path, reason: "is not weights_sha256 and images, each with name, b64 and predictions")
        }
        // Nothing would be held to it, and nobody would hear of that.
        guard !images.isEmpty else { throw GoldenFault(path: path, reason: "has no images") }
        guard images.count <= Self.maximumImages else {
            throw GoldenFault(path: path, reason: "\(images.count) images are more than \(Self.maximumImages)")
        }
        for (index, image) in images.enumerated() {
            guard image.name.utf8.count <= Self.maximumNameBytes,
                !image.name.unicodeScalars.contains(where: LogValue.isUnsafe)
            else {
                throw GoldenFault(
                    path: path,
                    reason:
                        "the name of image \(index) is longer than \(Self.maximumNameBytes) bytes or moves the cursor")
            }
            guard !image.predictions.isEmpty else {
                throw GoldenFault(path: path, reason: "'\(image.name)' has no predictions")
            }
        }
    }

    init(weightsSha256: String, images: [Image]) {
        self.weightsSha256 = weightsSha256
        self.images = images
    }

    func write(to path: String) throws {
        let text = try JSONText.pretty(self)
        let file = try AtomicFile(path: path)
        try file.write(Array(text.utf8))
        try file.finish()
    }
}

/// Why a `selftest.json` cannot be used.
struct GoldenFault: Error, Equatable, CustomStringConvertible {
    let path: String
    let reason: String

    var description: String { "\(path): \(reason)" }
}
