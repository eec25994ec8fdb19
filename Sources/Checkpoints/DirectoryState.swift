import FoundationEssentials

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// What a look at a model's directory shows of its files: two looks that differ mean that something was written,
/// replaced, added or taken away. What begins with a dot is not looked at.
public struct DirectoryState: Equatable, Sendable {
    private struct File: Equatable, Sendable {
        var name: String
        var device: UInt64
        var inode: UInt64
        var size: Int
        var modified: [Int]
    }

    private let files: [File]

    /// Looks at what lies in `directory` now; links are followed. What cannot be looked at is as good as not there.
    public init(of directory: String) {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        files = names.filter { !$0.hasPrefix(".") }.sorted().compactMap { name in
            var status = stat()
            guard stat("\(directory)/\(name)", &status) == 0 else { return nil }
            return File(
                name: name, device: UInt64(status.st_dev), inode: UInt64(status.st_ino), size: Int(status.st_size),
                modified: [Int(status.st_mtim.tv_sec), Int(status.st_mtim.tv_nsec)])
        }
    }
}
