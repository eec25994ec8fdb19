import EfficientNet
import Tensors

extension Checkpoint {
    /// Maps a safetensors file and takes an architecture's weights from it. The dialect is recognised from the names.
    ///
    /// `architectureName` is a variant's name as `Architecture(named:)` takes it; nil means the one variant that has
    /// exactly these tensors.
    /// - Throws: `file`, `safetensors`, `unknownDialect`, `architecture` for an unknown name, `mismatch` with all that
    ///   does not fit; without a name `unknownArchitecture`, and `ambiguousArchitecture` where a variant and its
    ///   `tf_` port have the same tensors.
    public static func load(
        _ path: String, architectureName: String? = nil
    ) throws(CheckpointError) -> Checkpoint {
        try load(Safetensors(path: path), path, architectureName)
    }

    /// Takes an architecture's weights from a safetensors file, as `load(_:architectureName:)` does from a path.
    /// - Throws: likewise, but not `file`.
    public static func load(
        _ file: MappedFile, architectureName: String? = nil
    ) throws(CheckpointError) -> Checkpoint {
        try load(Safetensors(named: file), file.path, architectureName)
    }

    private static func load(
        _ file: Safetensors, _ path: String, _ architectureName: String?
    ) throws(CheckpointError) -> Checkpoint {
        guard let dialect = Dialect(recognizing: file.tensors.keys) else {
            throw .unknownDialect(path: path, names: Array(file.tensors.keys.sorted().prefix(3)))
        }
        if let architectureName {
            let architecture: Architecture
            do throws(ArchitectureError) {
                architecture = try Architecture(named: architectureName, dialect: dialect)
            } catch { throw .architecture(error) }
            do throws(CheckpointMismatch) {
                return try Checkpoint(architecture: architecture, dialect: dialect, tensors: file.tensors)
            } catch { throw .mismatch(path: path, error) }
        }
        let fits = Architecture.candidates(in: dialect).compactMap {
            try? Checkpoint(architecture: $0, dialect: dialect, tensors: file.tensors)
        }
        guard let fit = fits.first else { throw .unknownArchitecture(path: path, dialect: dialect) }
        guard fits.count == 1 else {
            throw .ambiguousArchitecture(path: path, candidates: fits.map(\.architecture.name))
        }
        return fit
    }

    /// Writes the weights under their dialect's names to a safetensors file that replaces `path` at once.
    /// - Throws: `file` where it cannot be written.
    public func write(to path: String) throws(CheckpointError) {
        var tensors: [String: StoredTensor] = [:]
        for (parameter, _) in architecture.parameters() {
            tensors[architecture.name(of: parameter, in: dialect)] = tensor(parameter)
        }
        try Safetensors.write(tensors, metadata: ["format": "pt"], to: path)
    }
}
