import EfficientNet
import Tensors

/// One version of a model in the repository, with its description read; weights and labels are read on demand.
public struct StoredModel: Equatable, Sendable {
    public let name: String
    public let version: Int
    public let directory: String
    public let description: ModelDescription

    /// Reads model.json.
    /// - Throws: `file`, `description`.
    public init(_ entry: ModelRepository.Entry) throws(CheckpointError) {
        name = entry.name
        version = entry.version
        directory = entry.directory
        description = try ModelDescription(path: "\(entry.directory)/model.json")
    }

    public var weightsPath: String { "\(directory)/\(description.weights)" }
    public var labelsPath: String? { description.labels.map { "\(directory)/\($0)" } }

    /// The bytes of the weights' file, in memory: what is loaded of them stays what it is.
    /// - Throws: `file`.
    public func readWeights() throws(CheckpointError) -> MappedFile {
        do { return try MappedFile(reading: weightsPath) } catch { throw .file(error) }
    }

    /// The weights, with the description's padding and epsilon where it has any.
    /// - Throws: what `Checkpoint.load` throws, and `description` where the weights are in another dialect than it says.
    /// - Parameter weights: their file; nil maps it.
    public func checkpoint(_ weights: MappedFile? = nil) throws(CheckpointError) -> Checkpoint {
        let checkpoint =
            if let weights {
                try Checkpoint.load(weights, architectureName: description.architecture)
            } else {
                try Checkpoint.load(weightsPath, architectureName: description.architecture)
            }
        if let dialect = description.dialect, dialect != checkpoint.dialect {
            throw .description(
                path: "\(directory)/model.json", key: "dialect",
                reason: "is \(dialect.rawValue), but the weights are in \(checkpoint.dialect.rawValue)'s")
        }
        return checkpoint.with(padding: description.padding, batchNormEpsilon: description.batchNormEpsilon)
    }

    /// The class names, in order; nil where the model has none.
    /// - Throws: `file` where they cannot be read, `labels` where they are not UTF-8 or not `classCount` lines.
    public func labels(classCount: Int) throws(CheckpointError) -> [String]? {
        guard let labelsPath else { return nil }
        let file: MappedFile
        do { file = try MappedFile(reading: labelsPath) } catch { throw .file(error) }
        guard let text = file.withBytes({ String(validating: $0, as: UTF8.self) }) else {
            throw .labels(path: labelsPath, reason: "is not UTF-8")
        }
        var lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).map(String.init)
        if lines.last?.isEmpty == true { lines.removeLast() }
        guard lines.count == classCount else {
            throw .labels(path: labelsPath, reason: "has \(lines.count) lines for \(classCount) classes")
        }
        return lines
    }
}
