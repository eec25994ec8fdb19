import FoundationEssentials
import Imaging

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Where one image's bytes come from.
enum ImageSource: Equatable, Sendable {
    case file(String)
    case standardInput

    /// The path; `-` for standard input.
    var name: String {
        switch self {
        case .file(let path): path
        case .standardInput: "-"
        }
    }

    /// More than any image that is worth reading into memory.
    static let maxBytes = 1 << 30

    /// Reads all bytes, of a pipe too.
    /// - Throws: `cannotRead`, `tooLarge`.
    func read() throws(ImageSourceError) -> [UInt8] {
        switch self {
        case .standardInput: return try read(from: 0, expected: 0)
        case .file(let path):
            let descriptor = open(path, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else { throw .cannotRead(code: errno) }
            defer { close(descriptor) }
            var status = stat()
            guard fstat(descriptor, &status) == 0 else { throw .cannotRead(code: errno) }
            let size = max(0, Int(status.st_size))
            guard size <= Self.maxBytes else { throw .tooLarge(limit: Self.maxBytes) }
            return try read(from: descriptor, expected: size)
        }
    }

    private func read(from descriptor: Int32, expected: Int) throws(ImageSourceError) -> [UInt8] {
        // One byte more than the file has, so that the read that meets its end needs no more room.
        var bytes = [UInt8](repeating: 0, count: max(expected + 1, 64 << 10))
        var count = 0
        while true {
            let room = bytes.count - count
            let read = bytes.withUnsafeMutableBytes { systemRead(descriptor, $0.baseAddress! + count, room) }
            if read < 0 {
                if errno == EINTR { continue }
                throw .cannotRead(code: errno)
            }
            if read == 0 { break }
            count += read
            guard count <= Self.maxBytes else { throw .tooLarge(limit: Self.maxBytes) }
            if count == bytes.count { bytes.append(contentsOf: repeatElement(0, count: bytes.count)) }
        }
        bytes.removeLast(bytes.count - count)
        return bytes
    }
}

enum ImageSourceError: Error, Equatable, CustomStringConvertible {
    /// `code` is errno's value.
    case cannotRead(code: Int32)
    /// Units: bytes.
    case tooLarge(limit: Int)
    case noImages(suffixes: [String])

    var description: String {
        switch self {
        case .cannotRead(let code): "cannot be read: \(systemMessage(code))"
        case .tooLarge(let limit): "has more than \(limit) bytes"
        case .noImages(let suffixes):
            "no images in it; files that end in " + suffixes.map { ".\($0)" }.joined(separator: ", ") + " would be"
        }
    }
}

private func systemRead(_ descriptor: Int32, _ buffer: UnsafeMutableRawPointer, _ count: Int) -> Int {
    #if canImport(Glibc)
    Glibc.read(descriptor, buffer, count)
    #else
    Musl.read(descriptor, buffer, count)
    #endif
}

// MARK: - Directories

extension ImageSource {
    /// The images that `paths` mean: `-`, files, and all images in directories, each directory's by name.
    ///
    /// Hidden entries and links to directories are passed over, so that no tree is endless. A path that cannot be
    /// listed goes to `complain` with the reason.
    static func expand(_ paths: [String], complain: (String, ImageSourceError) -> Void) -> [ImageSource] {
        var sources: [ImageSource] = []
        for path in paths {
            if path == "-" {
                sources.append(.standardInput)
            } else if isDirectory(path) {
                let files = images(in: path, complain: complain)
                if files.isEmpty { complain(path, .noImages(suffixes: ImageFormat.allCases.flatMap(\.fileSuffixes))) }
                sources += files.map(ImageSource.file)
            } else {
                sources.append(.file(path))
            }
        }
        return sources
    }

    /// All images below a directory.
    static func images(in directory: String, complain: (String, ImageSourceError) -> Void) -> [String] {
        let names: [String]
        do { names = try FileManager.default.contentsOfDirectory(atPath: directory) } catch {
            complain(directory, .cannotRead(code: access(directory, R_OK | X_OK) == 0 ? EIO : errno))
            return []
        }
        var files: [String] = []
        for name in names.sorted() where !name.hasPrefix(".") {
            let path = directory.hasSuffix("/") ? directory + name : "\(directory)/\(name)"
            if isDirectory(path) {
                if !isLink(path) { files += images(in: path, complain: complain) }
            } else if isImage(name) {
                files.append(path)
            }
        }
        return files
    }

    /// Whether a file is called like an image.
    static func isImage(_ name: String) -> Bool {
        guard let dot = name.lastIndex(of: ".") else { return false }
        return suffixes.contains(name[name.index(after: dot)...].lowercased())
    }

    private static let suffixes = Set(ImageFormat.allCases.flatMap(\.fileSuffixes))

    static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    private static func isLink(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK
    }
}

extension ImageFormat {
    /// How names of such files end, in lower case.
    var fileSuffixes: [String] {
        switch self {
        case .jpeg: ["jpg", "jpeg", "jpe", "jfif"]
        case .png: ["png"]
        case .webp: ["webp"]
        }
    }
}
