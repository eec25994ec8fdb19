#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A file being written that appears under its name only when it is complete.
///
/// The bytes go to a neighbour of the file, which `finish()` renames; without `finish()` nothing remains. A path that
/// is there and no regular file, such as `/dev/stdout`, is written to directly.
public struct AtomicFile: ~Copyable {
    public let path: String
    private let temporaryPath: String?
    private let descriptor: Int32
    private var isFinished = false

    /// - Throws: `cannotWrite`.
    public init(path: String) throws(TensorFileError) {
        var status = stat()
        let isSpecial = stat(path, &status) == 0 && status.st_mode & S_IFMT != S_IFREG
        let temporary = "\(path).\(getpid()).\(UInt32.random(in: 0 ... .max)).tmp"
        let descriptor =
            isSpecial
            ? open(path, O_WRONLY | O_CLOEXEC) : open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw .cannotWrite(path: path, code: errno) }
        self.path = path
        self.descriptor = descriptor
        temporaryPath = isSpecial ? nil : temporary
    }

    deinit {
        close(descriptor)
        if !isFinished, let temporaryPath { unlink(temporaryPath) }
    }

    /// Appends all of `bytes`.
    /// - Throws: `cannotWrite`.
    public func write(_ bytes: UnsafeRawBufferPointer) throws(TensorFileError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let view = UnsafeRawBufferPointer(rebasing: rest)
            let written = writeOnce(view)
            if written < 0 {
                if errno == EINTR { continue }
                throw .cannotWrite(path: path, code: errno)
            }
            rest = rest.dropFirst(written)
        }
    }

    /// Appends `elements` as they lie in memory.
    /// - Throws: `cannotWrite`.
    public func write<Element: BitwiseCopyable>(_ elements: [Element]) throws(TensorFileError) {
        try elements.withUnsafeBufferPointer { elements throws(TensorFileError) in
            try write(UnsafeRawBufferPointer(elements))
        }
    }

    /// Makes the file appear under its name.
    /// - Throws: `cannotWrite`.
    public consuming func finish() throws(TensorFileError) {
        if let temporaryPath {
            guard fsync(descriptor) == 0, rename(temporaryPath, path) == 0 else {
                throw .cannotWrite(path: path, code: errno)
            }
        }
        isFinished = true
    }

    private func writeOnce(_ bytes: UnsafeRawBufferPointer) -> Int {
        #if canImport(Glibc)
        Glibc.write(descriptor, bytes.baseAddress, bytes.count)
        #else
        Musl.write(descriptor, bytes.baseAddress, bytes.count)
        #endif
    }
}
