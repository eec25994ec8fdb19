import FoundationEssentials

/// A directory of models: `<name>/<version>/model.json`, with the weights and labels beside it.
///
/// Versions are positive whole numbers. What begins with a dot, and plain files, are passed over, so that a model may
/// be copied to `.name` and renamed when complete. Names that come from outside are only compared with those that are
/// there, never joined to a path.
public struct ModelRepository: Sendable {
    public let directory: String

    public init(directory: String) { self.directory = directory }

    /// One version of a model, not yet opened.
    public struct Entry: Hashable, Sendable {
        public let name: String
        public let version: Int
        public let directory: String
    }

    /// What is there, by name, then by version.
    /// - Throws: `repository` where a directory cannot be listed, a name is not one that a URL and a metric can carry,
    ///   a version is not a number, or a model has none.
    public func entries() throws(CheckpointError) -> [Entry] {
        var entries: [Entry] = []
        for name in try Self.subdirectories(of: directory) {
            let path = "\(directory)/\(name)"
            guard Self.isModelName(name) else {
                throw .repository(path: path, reason: "a model's name is 1 to 128 letters, digits, '-', '_' and '.'")
            }
            let versions = try Self.subdirectories(of: path)
            guard !versions.isEmpty else { throw .repository(path: path, reason: "has no version, such as 1/") }
            for written in versions {
                guard let version = Int(written), version > 0, String(version) == written else {
                    throw .repository(path: "\(path)/\(written)", reason: "a version is a positive whole number")
                }
                entries.append(Entry(name: name, version: version, directory: "\(path)/\(written)"))
            }
        }
        return entries.sorted { ($0.name, $0.version) < ($1.name, $1.version) }
    }

    /// Reads the description of a model's version; nil means the highest.
    /// - Throws: `unknownModel`, `unknownVersion`, what `entries()` throws, and `file` or `description` for model.json.
    public func model(named name: String, version: Int? = nil) throws(CheckpointError) -> StoredModel {
        let versions = try entries().filter { $0.name == name }
        guard let latest = versions.last else { throw .unknownModel(name) }
        guard let version else { return try StoredModel(latest) }
        guard let entry = versions.first(where: { $0.version == version }) else {
            throw .unknownVersion(model: name, version: version)
        }
        return try StoredModel(entry)
    }

    private static func isModelName(_ name: String) -> Bool {
        (1...128).contains(name.utf8.count)
            && name.utf8.allSatisfy {
                switch $0 {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                    true
                default: false
                }
            }
    }

    private static func subdirectories(of path: String) throws(CheckpointError) -> [String] {
        let names: [String]
        do { names = try FileManager.default.contentsOfDirectory(atPath: path) } catch {
            let isThere = FileManager.default.fileExists(atPath: path)
            throw .repository(
                path: path, reason: isThere ? "cannot be listed as a directory" : "there is no such directory")
        }
        return names.filter { name in
            var isDirectory = false
            return !name.hasPrefix(".")
                && FileManager.default.fileExists(atPath: "\(path)/\(name)", isDirectory: &isDirectory) && isDirectory
        }
    }
}
