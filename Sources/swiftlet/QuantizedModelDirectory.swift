import Checkpoints
import FoundationEssentials
import Inference
import Quantization
import Tensors

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The directory of a new int8 model, which appears whole or not at all.
///
/// It is written beside its place, under a name that begins with a dot, which no repository takes for a version. An int8
/// model that is in the place is exchanged with it in one step of the file system and removed then.
struct QuantizedModelDirectory {
    enum Fault: Error, Equatable, CustomStringConvertible {
        case noDirectory(path: String)
        /// The model that is quantised lies there.
        case isSource(path: String)
        /// What is there is not ours to replace.
        case occupied(path: String, reason: String)
        /// `code` is errno's value.
        case cannotRead(path: String, code: Int32)
        case cannotWrite(path: String, code: Int32)
        /// The new model stays in `remains`.
        case cannotExchange(path: String, remains: String, code: Int32)

        var description: String {
            switch self {
            case .noDirectory(let path): "\(path) is there already and no directory"
            case .isSource(let path): "\(path) holds the model that is to be quantised, which would be replaced"
            case .occupied(let path, let reason): "\(path) is there already and \(reason)"
            case .cannotRead(let path, let code): "\(path) cannot be read: \(systemMessage(code))"
            case .cannotWrite(let path, let code): "\(path) cannot be written: \(systemMessage(code))"
            case .cannotExchange(let path, let remains, let code):
                "\(path) stays as it is, because the new model cannot take its place: \(systemMessage(code)); "
                    + "the new model is \(remains)"
            }
        }
    }

    /// Without links where it is there already.
    private let path: String

    /// - Throws: `noDirectory`, `isSource`; `occupied` where the directory holds something else than an int8 model;
    ///   `cannotRead` where that cannot be found out.
    init(_ path: String, source: StoredModel) throws(Fault) {
        guard let resolved = try Self.resolved(path) else {
            self.path = path.last == "/" ? String(path[...path.lastIndex { $0 != "/" }!]) : path
            return
        }
        self.path = resolved
        guard ImageSource.isDirectory(resolved) else { throw .noDirectory(path: path) }
        // Weights and labels may be links to elsewhere.
        let files = [source.weightsPath] + (source.labelsPath.map { [$0] } ?? [])
        let inUse =
            try [Self.resolved(source.directory)]
            + files.map { (file) throws(Fault) in
                try Self.resolved(file).map(Self.parent)
            }
        guard !inUse.contains(resolved) else { throw .isSource(path: path) }
        let contents = try Self.contents(resolved)
        if let other = contents.first(where: { !Self.known.contains($0) }) {
            throw .occupied(path: path, reason: "holds '\(other)', which is no int8 model's")
        }
        guard !contents.isEmpty else { return }
        let precision: ModelDescription.Precision
        do throws(CheckpointError) {
            precision = try ModelDescription(path: "\(resolved)/\(Self.description)").precision
        } catch { throw .occupied(path: path, reason: "is no int8 model's: \(error)") }
        guard precision == .int8 else { throw .occupied(path: path, reason: "holds a model in \(precision.rawValue)") }
    }

    private static let description = "model.json"
    private static let labels = "labels.txt"
    private static let notice = "NOTICE"
    private static let known: Set<String> = [description, ModelDescription.defaultWeights, labels, notice]

    /// Writes weights, description, labels and notice, and then puts the directory in its place.
    /// - Returns: bytes of the weights' file.
    func write(
        _ graph: QuantizedGraph, from stored: StoredModel, pictures: Int, method: RangeMethod
    ) throws -> Int {
        let temporary = try makeTemporary()
        let size: Int
        do {
            size = try write(graph, from: stored, pictures: pictures, method: method, into: temporary)
            try putInPlace(temporary)
        } catch {
            if case Fault.cannotExchange = error { throw error }
            try? FileManager.default.removeItem(atPath: temporary)  // the first error is the one to hear of
            throw error
        }
        return size
    }

    /// A new directory beside the place.
    private func makeTemporary() throws -> String {
        let parent = Self.parent(path)
        try FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true)
        let name = path.split(separator: "/").last.map(String.init) ?? path
        let temporary = "\(parent)/.\(name).\(getpid()).tmp"
        guard mkdir(temporary, 0o777) == 0 else { throw Fault.cannotWrite(path: temporary, code: errno) }
        return temporary
    }

    private func write(
        _ graph: QuantizedGraph, from stored: StoredModel, pictures: Int, method: RangeMethod, into directory: String
    ) throws -> Int {
        let weights = "\(directory)/\(ModelDescription.defaultWeights)"
        try Safetensors.write(graph.tensors(), metadata: ["format": "swiftlet-int8"], to: weights)
        var description = stored.description
        description.precision = .int8
        description.dialect = nil
        description.padding = graph.architecture.padding
        description.weights = ModelDescription.defaultWeights
        description.summary = (description.summary.map { "\($0), " } ?? "") + "in int8"
        if let labelsPath = stored.labelsPath {
            description.labels = Self.labels
            try FileManager.default.copyItem(atPath: labelsPath, toPath: "\(directory)/\(Self.labels)")
        }
        try Self.write(description.json, to: "\(directory)/\(Self.description)")
        let noticePath = "\(stored.directory)/\(Self.notice)"
        let original =
            FileManager.default.fileExists(atPath: noticePath)
            ? try MappedFile(path: noticePath).withBytes { Array($0) } : nil
        let addition = """
            \(original == nil ? "" : "\n")This is '\(stored.name)', version \(stored.version), converted to int8 by Swiftlet: batch norms folded, weights rounded,
            calibrated on \(pictures) pictures (\(method.rawValue)). The weights' values differ from the original's.

            """
        try Self.write((original ?? []) + Array(addition.utf8), to: "\(directory)/\(Self.notice)")
        return try Self.size(of: weights)
    }

    /// Units: bytes.
    static func size(of path: String) throws -> Int { try MappedFile(path: path).count }

    private static func write(_ bytes: [UInt8], to path: String) throws {
        let file = try AtomicFile(path: path)
        try file.write(bytes)
        try file.finish()
    }

    /// Renames `temporary` where nothing is; else exchanges the two and removes the old one.
    private func putInPlace(_ temporary: String) throws {
        guard try Self.resolved(path) != nil else {
            guard rename(temporary, path) == 0 else { throw Fault.cannotWrite(path: path, code: errno) }
            return
        }
        let code = exchange(temporary, path)
        guard code == 0 else { throw Fault.cannotExchange(path: path, remains: temporary, code: code) }
        try FileManager.default.removeItem(atPath: temporary)
    }
}

extension QuantizedModelDirectory {
    /// The path without links; nil where nothing is there.
    private static func resolved(_ path: String) throws(Fault) -> String? {
        if let name = realpath(path, nil) {
            defer { free(name) }
            return String(cString: name)
        }
        let code = errno
        var status = stat()
        // What a link to nothing names cannot be replaced either.
        guard code == ENOENT, !path.isEmpty, lstat(path, &status) != 0 else {
            throw .cannotRead(path: path, code: code)
        }
        return nil
    }

    private static func parent(_ path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// The names of what is in a directory, sorted.
    private static func contents(_ path: String) throws(Fault) -> [String] {
        guard access(path, R_OK | X_OK) == 0 else { throw .cannotRead(path: path, code: errno) }
        do { return try FileManager.default.contentsOfDirectory(atPath: path).sorted() } catch {
            throw .cannotRead(path: path, code: EIO)
        }
    }
}

/// Exchanges what two paths name, in one step.
/// - Returns: 0, or errno's value.
private func exchange(_ first: String, _ second: String) -> Int32 {
    typealias Rename = @convention(c) (Int32, UnsafePointer<CChar>, Int32, UnsafePointer<CChar>, UInt32) -> Int32
    // The C library has it, but its headers do not show it to Swift.
    guard let symbol = dlsym(nil, "renameat2") else { return ENOSYS }
    let exchangeFlag: UInt32 = 2  // RENAME_EXCHANGE
    return unsafeBitCast(symbol, to: Rename.self)(AT_FDCWD, first, AT_FDCWD, second, exchangeFlag) == 0 ? 0 : errno
}
