import FoundationEssentials
import Tensors

/// Images whose classes are known.
struct LabelledSet: Equatable {
    struct Item: Equatable {
        let path: String
        let actual: Int
    }

    var items: [Item] = []
}

enum LabelledSetError: Error, Equatable, CustomStringConvertible {
    case file(TensorFileError)
    case notText(path: String)
    case missingColumn(path: String, column: String, found: [String])
    case shortLine(path: String, line: Int)
    /// `place` is a line of a file, or a folder.
    case unknownClass(place: String, name: String, classCount: Int)
    case ambiguousClass(place: String, name: String, indices: [Int])
    case empty(path: String, expected: String)
    /// A directory without folders of images; `images` lie in it itself.
    case noClassFolders(path: String, images: Int, folders: Int)

    var description: String {
        switch self {
        case .file(let error): "\(error)"
        case .notText(let path): "\(path) is not UTF-8 text"
        case .missingColumn(let path, let column, let found):
            "\(path) has no column '\(column)'; its first line names "
                + found.map { "'\($0)'" }.joined(separator: ", ")
        case .shortLine(let path, let line): "\(path), line \(line): fewer fields than the first line names"
        case .unknownClass(let place, let name, let classCount):
            "\(place): '\(name)' is neither a label of the model nor an index from 0 to \(classCount - 1)"
        case .ambiguousClass(let place, let name, let indices):
            "\(place): several classes are called '\(name)'; use one of the indices "
                + indices.map(String.init).joined(separator: ", ")
        case .empty(let path, let expected): "\(path) has no images; expected \(expected)"
        case .noClassFolders(let path, let images, let folders):
            "\(path) has \(images) \(images == 1 ? "image" : "images") of its own and "
                + (folders == 0 ? "no folders" : "no images in its \(folders == 1 ? "folder" : "\(folders) folders")")
                + "; expected a folder for each class, called by its label or index, with the images of that class "
                + "in it, such as \(path)/0/photo.jpg; or name a table of files and classes by --labels-file"
        }
    }
}

/// A model's classes by name.
struct ClassNames {
    private let indices: [String: [Int]]
    private let count: Int

    init(labels: [String]) {
        indices = Dictionary(grouping: labels.indices) { labels[$0] }
        count = labels.count
    }

    /// The class that is called `name`, or else has that index.
    /// - Throws: `unknownClass`, `ambiguousClass`, both with `place`.
    func index(of name: String, at place: @autoclosure () -> String) throws(LabelledSetError) -> Int {
        if let found = indices[name] {
            guard found.count == 1 else { throw .ambiguousClass(place: place(), name: name, indices: found) }
            return found[0]
        }
        guard let index = Int(name), (0..<count).contains(index) else {
            throw .unknownClass(place: place(), name: name, classCount: count)
        }
        return index
    }
}

extension LabelledSet {
    /// Reads a table with tabs between the columns, of which `file` and `class` count: a path, and an index or a label.
    ///
    /// Paths are relative to `directory`, nil meaning the table's own.
    /// - Throws: any `LabelledSetError`.
    init(table path: String, directory: String? = nil, classes: ClassNames) throws(LabelledSetError) {
        let file: MappedFile
        do { file = try MappedFile(path: path) } catch { throw .file(error) }
        guard let text = file.withBytes({ String(validating: $0, as: UTF8.self) }) else { throw .notText(path: path) }
        let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        let titles = (lines.first ?? "").split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
        guard let fileColumn = titles.firstIndex(of: "file") else {
            throw .missingColumn(path: path, column: "file", found: titles)
        }
        guard let classColumn = titles.firstIndex(of: "class") else {
            throw .missingColumn(path: path, column: "class", found: titles)
        }
        let directory = directory ?? (path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ".")
        for (index, line) in lines.enumerated().dropFirst() where !line.isEmpty {
            let fields = line.split(separator: "\t", omittingEmptySubsequences: false)
            guard fields.count > max(fileColumn, classColumn) else { throw .shortLine(path: path, line: index + 1) }
            let name = fields[fileColumn]
            let actual = try classes.index(of: String(fields[classColumn]), at: "\(path), line \(index + 1)")
            items.append(Item(path: name.hasPrefix("/") ? String(name) : "\(directory)/\(name)", actual: actual))
        }
        guard !items.isEmpty else { throw .empty(path: path, expected: "a line for each") }
    }

    /// Takes the images of each folder in `directory` as of the class that the folder is named after.
    /// - Throws: `unknownClass`, `ambiguousClass`, `empty`, `noClassFolders`.
    init(
        folders directory: String, classes: ClassNames, complain: (String, ImageSourceError) -> Void
    ) throws(LabelledSetError) {
        let names: [String]
        do { names = try FileManager.default.contentsOfDirectory(atPath: directory).sorted() } catch {
            throw .empty(path: directory, expected: "a directory that can be listed")
        }
        let directory = directory.count > 1 && directory.hasSuffix("/") ? String(directory.dropLast()) : directory
        var (images, folders) = (0, 0)
        for name in names where !name.hasPrefix(".") {
            let folder = "\(directory)/\(name)"
            guard ImageSource.isDirectory(folder) else {
                images += ImageSource.isImage(name) ? 1 : 0
                continue
            }
            folders += 1
            let actual = try classes.index(of: name, at: folder)
            items += ImageSource.images(in: folder, complain: complain).map { Item(path: $0, actual: actual) }
        }
        guard !items.isEmpty else { throw .noClassFolders(path: directory, images: images, folders: folders) }
    }
}
