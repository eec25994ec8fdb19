import COpenSSL
import Checkpoints
import EfficientNet
import Imaging
import Inference
import Kernels
import Tensors

/// A model that is ready to classify: weights packed for this machine, labels, and how pictures are prepared for it.
///
/// Concurrency: immutable; shared by all threads.
public final class ClassifierModel: Sendable {
    public let name: String
    public let version: Int
    public let stored: StoredModel
    public let plan: Plan
    public let preprocessing: Preprocessing
    /// Class names in order; the indices where the model brings none.
    public let labels: [String]

    /// Maps, folds and packs the weights of `stored`.
    /// - Throws: `CheckpointError` where weights or labels cannot be read or do not fit, `InferenceError` where the
    ///   input size is impossible.
    public init(_ stored: StoredModel, table: KernelTable = .fastest) throws {
        name = stored.name
        version = stored.version
        self.stored = stored
        let description = stored.description
        plan = try Plan(stored, table: table)
        labels = try stored.labels(classCount: plan.classCount) ?? (0..<plan.classCount).map(String.init)
        preprocessing = Preprocessing(
            resize: description.resize, crop: description.crop,
            filter: description.filter == .bicubic ? .bicubic : .bilinear)
    }

    /// The SHA-256 of the weights' file, in lower-case hexadecimal.
    /// - Throws: `TensorFileError` where the file cannot be read any more.
    /// - Complexity: linear in the size of the file.
    public func weightsDigest() throws -> String {
        let file = try MappedFile(path: stored.weightsPath)
        return file.withBytes { bytes in
            var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
            var count: UInt32 = 0
            let status = EVP_Digest(bytes.baseAddress, bytes.count, &digest, &count, EVP_sha256(), nil)
            precondition(status == 1, "SHA-256 is not available")
            return digest.prefix(Int(count)).map { byte in
                let digits = String(byte, radix: 16)
                return digits.count == 1 ? "0" + digits : digits
            }.joined()
        }
    }
}

extension Plan {
    /// Maps, folds and packs the weights of `stored`, in the precision that its description names.
    /// - Throws: `CheckpointError` where weights cannot be read or do not fit, `InferenceError`.
    fileprivate convenience init(_ stored: StoredModel, table: KernelTable) throws {
        let description = stored.description
        switch description.precision {
        case .fp32:
            try self.init(
                graph: Graph(stored.checkpoint()), table: table, inputHeight: description.inputSize,
                inputWidth: description.inputSize,
                normalisation: Normalisation(
                    mean: description.mean, standardDeviation: description.standardDeviation))
        case .int8:
            try self.init(
                graph: stored.quantizedGraph(), table: table, inputHeight: description.inputSize,
                inputWidth: description.inputSize)
        }
    }
}
