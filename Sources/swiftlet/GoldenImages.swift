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
    private static let maximumBytes = 16 << 20

    /// - Returns: nil where there is no such file.
    /// - Throws: `GoldenFault`.
    init?(path: String) throws(GoldenFault) {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        let bytes: [UInt8]
        do throws(ImageSourceError) { bytes = try ImageSource.file(path).read() } catch {
            throw GoldenFault(path: path, reason: "\(error)")
        }
        guard bytes.count <= Self.maximumBytes else {
            throw GoldenFault(path: path, reason: "\(bytes.count) bytes are more than \(Self.maximumBytes)")
        }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        do { self = try decoder.decode(Self.self, from: Data(bytes)) } catch {
            throw GoldenFault(
                path: path, reason: "is not weights_sha256 and images, each with name, b64 and predictions")
        }
        for image in images where image.predictions.isEmpty {
            throw GoldenFault(path: path, reason: "'\(image.name)' has no predictions")
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
