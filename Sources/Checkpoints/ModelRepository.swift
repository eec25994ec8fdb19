import FoundationEssentials

/// A directory of models: `<name>/<version>/model.json`, with the weights and labels beside it. Or of one model alone, as
/// storage of a cluster is often mounted: `<version>/model.json`, or just `model.json`, which is then version 1.
///
/// Versions are positive whole numbers. Plain files, what begins with a dot, and other directories are passed over, so that a model may
/// be copied to `.name` and renamed when complete. Names that come from outside are only compared with those that are
/// there, never joined to a path.
public struct ModelRepository: Sendable {
    public let directory: String

    /// What the model is called where the directory has one alone; empty means as the directory.
    private let modelName: String

    public init(directory: String, modelName: String = "") {
        self.directory = directory
        self.modelName = modelName
    }

    /// One version of a model, not yet opened.
    public struct Entry: Hashable, Sendable {
        public let name: String
        public let version: Int
        public let directory: String
    }

    /// What a repository holds.
    public struct Contents: Equatable, Sendable {
        /// By name, then by version.
        public var entries: [Entry] = []
        /// Directories that are no model or no version of one, each with the reason, as sentences.
        public var passedOver: [String] = []
    }

    /// What is there.
    /// - Throws: `repository` where the directory cannot be listed, or has one model alone that has no name.
    public func contents() throws(CheckpointError) -> Contents {
        var contents = Contents()
        for name in try Self.subdirectories(of: directory).sorted() {
            let path = "\(directory)/\(name)"
            guard Self.isModelName(name) else {
                contents.passedOver.append(
                    "\(path) is passed over: a model's name is 1 to 128 letters, digits, '-', '_' and '.'")
                continue
            }
            var versions: [Int] = []
            let inside: [String]
            do throws(CheckpointError) { inside = try Self.subdirectories(of: path) } catch {
                // It may just be on its way out, which is no reason to see none of the others.
                contents.passedOver.append("\(path) is passed over: it cannot be listed")
                continue
            }
            for written in inside.sorted() {
                if let version = Self.version(written) {
                    versions.append(version)
                } else {
                    contents.passedOver.append(
                        "\(path)/\(written) is passed over: a version is a positive whole number")
                }
            }
            if versions.isEmpty { contents.passedOver.append("\(path) is passed over: it has no version, such as 1/") }
            contents.entries += versions.sorted().map { Entry(name: name, version: $0, directory: "\(path)/\($0)") }
        }
        // Only then, so that a misplaced file hides no model.
        if contents.entries.isEmpty, let lone = try loneModel() { return Contents(entries: lone) }
        return contents
    }

    /// The versions of the one model that the directory itself is; nil where it is none.
    private func loneModel() throws(CheckpointError) -> [Entry]? {
        func hasDescription(_ path: String) -> Bool { FileManager.default.fileExists(atPath: "\(path)/model.json") }
        var versions = try Self.subdirectories(of: directory).compactMap(Self.version).sorted()
            .map { (number: $0, path: "\(directory)/\($0)") }.filter { hasDescription($0.path) }
        if versions.isEmpty, hasDescription(directory) { versions = [(1, directory)] }
        guard !versions.isEmpty else { return nil }
        let name = modelName.isEmpty ? directory.split(separator: "/").last.map(String.init) ?? "" : modelName
        guard Self.isModelName(name), !name.hasPrefix(".") else {
            throw .repository(path: directory, reason: "has one model alone, whose name 'model' must say")
        }
        return versions.map { Entry(name: name, version: $0.number, directory: $0.path) }
    }

    private static func version(_ written: String) -> Int? {
        guard let version = Int(written), version > 0, String(version) == written else { return nil }
        return version
    }

    /// The models that are there, by name, then by version.
    /// - Throws: `repository` where the directory cannot be listed.
    public func entries() throws(CheckpointError) -> [Entry] { try contents().entries }

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
