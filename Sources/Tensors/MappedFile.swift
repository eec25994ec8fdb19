#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The bytes of a file, in pages of memory that this object owns.
///
/// `init(path:)` maps the file itself, read-only. Who replaces it must write a new one and rename it (as `AtomicFile`
/// does): the system kills a process that reads past the end of a file that was truncated in place. `init(reading:)`
/// copies the file first, and nothing that happens to it later matters: it is for processes that live long.
public final class MappedFile: Sendable {
    public let path: String
    /// Address of the first byte; nil of an empty file.
    private nonisolated(unsafe) let start: UnsafeRawPointer?  // not written after `init`
    public let count: Int

    /// Maps the whole file.
    /// - Throws: `cannotOpen`, `notARegularFile`, `cannotMap`.
    public init(path: String) throws(TensorFileError) {
        let (descriptor, status) = try Self.open(path)
        defer { close(descriptor) }
        self.path = path
        count = Int(status.st_size)
        guard count > 0 else {
            start = nil
            return
        }
        let address = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0)
        guard let address, address != MAP_FAILED else { throw .cannotMap(path: path, code: errno) }
        start = UnsafeRawPointer(address)
    }

    /// Reads the whole file.
    /// - Throws: `cannotOpen`, `notARegularFile`, `cannotMap` where there is no memory, `cannotRead`, and
    ///   `changedMeanwhile` where somebody wrote to the file.
    public init(reading path: String) throws(TensorFileError) {
        let (descriptor, status) = try Self.open(path)
        defer { close(descriptor) }
        self.path = path
        count = Int(status.st_size)
        guard count > 0 else {
            start = nil
            return
        }
        let address = mmap(nil, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let address, address != MAP_FAILED else { throw .cannotMap(path: path, code: errno) }
        // Most of the time goes into the first touch of each page: of large ones there are few.
        madvise(address, count, MADV_HUGEPAGE)
        // From here on the memory is this object's, whatever is thrown.
        start = UnsafeRawPointer(address)
        try Self.read(descriptor, into: UnsafeMutableRawBufferPointer(start: address, count: count), path)
        var after = stat()
        guard fstat(descriptor, &after) == 0 else { throw .cannotRead(path: path, code: errno) }
        guard
            after.st_size == status.st_size, after.st_mtim.tv_sec == status.st_mtim.tv_sec,
            after.st_mtim.tv_nsec == status.st_mtim.tv_nsec
        else { throw .changedMeanwhile(path: path) }
    }

    private static func open(_ path: String) throws(TensorFileError) -> (descriptor: Int32, status: stat) {
        let descriptor = systemOpen(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw .cannotOpen(path: path, code: errno) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            let code = errno
            close(descriptor)
            throw .cannotOpen(path: path, code: code)
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw .notARegularFile(path: path)
        }
        return (descriptor, status)
    }

    private static func read(
        _ descriptor: Int32, into bytes: UnsafeMutableRawBufferPointer, _ path: String
    ) throws(TensorFileError) {
        var filled = 0
        while filled < bytes.count {
            let count = systemRead(descriptor, bytes[filled...])
            if count == 0 { throw .changedMeanwhile(path: path) }
            if count < 0 {
                if errno == EINTR { continue }
                throw .cannotRead(path: path, code: errno)
            }
            filled += count
        }
    }

    deinit {
        if let start { munmap(UnsafeMutableRawPointer(mutating: start), count) }
    }

    /// Lends all bytes to `body`, which must not keep the pointer.
    public func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        defer { withExtendedLifetime(self) {} }
        return try body(UnsafeRawBufferPointer(start: start, count: count))
    }
}

// By these names inside of a type that has an `open` and a `read` of its own.

private func systemOpen(_ path: String, _ flags: Int32) -> Int32 { open(path, flags) }

private func systemRead(_ descriptor: Int32, _ rest: Slice<UnsafeMutableRawBufferPointer>) -> Int {
    let bytes = UnsafeMutableRawBufferPointer(rebasing: rest)
    return read(descriptor, bytes.baseAddress, bytes.count)
}
