import COpenSSL
import Checkpoints
import EfficientNet
import HTTPTypes
import Imaging
import Inference
import Kernels
import Parallelism
import Tensors

/// A model that is ready to classify: weights packed for this machine, labels, and how pictures are prepared for it.
///
/// Concurrency: immutable but for the digest; shared by all threads.
public final class ClassifierModel: Sendable {
    public let name: String
    public let version: Int
    public let stored: StoredModel
    public let plan: Plan
    public let preprocessing: Preprocessing
    /// Class names in order; the indices where the model brings none.
    public let labels: [String]

    /// What every answer of this model carries.
    let fields: [HTTPField]
    private let knownDigest = Lock<String?>(nil)
    /// Goes last, when the memory of all above is free: members go in their order.
    private let farewell: Farewell?

    /// Folds and packs the weights of `stored`.
    /// - Throws: `CheckpointError` where weights or labels cannot be read or do not fit, `InferenceError` where the
    ///   input size is impossible.
    /// - Parameters:
    ///   - weights: the weights' file; nil maps it.
    ///   - farewell: called when the model has been let go of, on any thread. Must not block.
    public init(
        _ stored: StoredModel, weights: MappedFile? = nil, table: KernelTable = .fastest,
        farewell: (@Sendable () -> Void)? = nil
    ) throws {
        self.farewell = farewell.map(Farewell.init)
        name = stored.name
        version = stored.version
        fields = Self.fields(name: stored.name, version: stored.version)
        self.stored = stored
        let description = stored.description
        plan = try Plan(stored, weights, table: table)
        labels = try stored.labels(classCount: plan.classCount) ?? (0..<plan.classCount).map(String.init)
        preprocessing = Preprocessing(
            resize: description.resize, crop: description.crop,
            filter: description.filter == .bicubic ? .bicubic : .bilinear)
    }

    /// The SHA-256 of the weights' file, in lower-case hexadecimal; nil until it has been computed.
    var weightsDigest: String? { knownDigest.withLock { $0 } }

    /// Computes the digest.
    ///
    /// - Parameter weights: the bytes that the model was made of; whatever lies in the file by now.
    func computeDigest(of weights: MappedFile) {
        let digest = weights.sha256
        knownDigest.withLock { $0 = digest }
    }
}

/// Says something at its end.
private final class Farewell: Sendable {
    private let say: @Sendable () -> Void

    init(say: @escaping @Sendable () -> Void) { self.say = say }

    deinit { say() }
}

extension MappedFile {
    /// In lower-case hexadecimal.
    /// - Complexity: linear in the size of the file.
    public var sha256: String {
        withBytes { bytes in
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
    /// Folds and packs the weights of `stored`, in the precision that its description names.
    /// - Throws: `CheckpointError` where weights cannot be read or do not fit, `InferenceError`.
    fileprivate convenience init(_ stored: StoredModel, _ weights: MappedFile?, table: KernelTable) throws {
        let description = stored.description
        switch description.precision {
        case .fp32:
            try self.init(
                graph: Graph(stored.checkpoint(weights)), table: table, inputHeight: description.inputSize,
                inputWidth: description.inputSize,
                normalisation: Normalisation(
                    mean: description.mean, standardDeviation: description.standardDeviation))
        case .int8:
            try self.init(
                graph: stored.quantizedGraph(weights), table: table, inputHeight: description.inputSize,
                inputWidth: description.inputSize)
        }
    }
}
