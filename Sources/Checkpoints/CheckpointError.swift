import EfficientNet
import Tensors

/// Why a checkpoint, its description or the model repository cannot be used.
public enum CheckpointError: Error, Equatable, Sendable {
    /// A file cannot be read or written.
    case file(TensorFileError)
    case safetensors(path: String, SafetensorsFault)
    /// No dialect has these names; the first few of them, sorted.
    case unknownDialect(path: String, names: [String])
    /// No variant has the file's tensors.
    case unknownArchitecture(path: String, dialect: Dialect)
    /// The tensors fit several variants, between which only their name can tell.
    case ambiguousArchitecture(path: String, candidates: [String])
    case architecture(ArchitectureError)
    case mismatch(path: String, CheckpointMismatch)
    /// model.json is wrong; `key` is nil where it is no JSON object at all.
    case description(path: String, key: String?, reason: String)
    /// The labels are wrong.
    case labels(path: String, reason: String)
    /// A directory of the repository is wrong.
    case repository(path: String, reason: String)
    case unknownModel(String)
    case unknownVersion(model: String, version: Int)
}

extension CheckpointError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .file(let error): "\(error)"
        case .safetensors(let path, let fault): "\(path): \(fault)"
        case .unknownDialect(let path, let names):
            "\(path): neither torchvision's, timm's nor EfficientNet-PyTorch's names"
                + (names.isEmpty ? ", but no tensor at all" : ", but " + names.joined(separator: ", ") + ", …")
        case .unknownArchitecture(let path, let dialect):
            "\(path): no variant has these tensors in \(dialect.rawValue)'s names; say which architecture it should be"
        case .ambiguousArchitecture(let path, let candidates):
            "\(path): may be \(candidates.joined(separator: " or ")); say which"
        case .architecture(let error): "\(error)"
        case .mismatch(let path, let mismatch): "\(path): \(mismatch)"
        case .description(let path, let key, let reason): "\(path): " + (key.map { "'\($0)' " } ?? "") + reason
        case .labels(let path, let reason), .repository(let path, let reason): "\(path): \(reason)"
        case .unknownModel(let name): "no model is called '\(name)'"
        case .unknownVersion(let model, let version): "model '\(model)' has no version \(version)"
        }
    }
}
