#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The bytes of a file, mapped read-only for as long as this object lives.
///
/// Who replaces a mapped file must write a new one and rename it (as `AtomicFile` does): the system kills a process
/// that reads past the end of a file that was truncated in place.
public final class MappedFile: Sendable {
    public let path: String
    /// Address of the first byte; nil of an empty file.
    private nonisolated(unsafe) let start: UnsafeRawPointer?  // read-only memory
    public let count: Int

    /// Maps the whole file.
    /// - Throws: `cannotOpen`, `notARegularFile`, `cannotMap`.
    public init(path: String) throws(TensorFileError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw .cannotOpen(path: path, code: errno) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .cannotOpen(path: path, code: errno) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .notARegularFile(path: path) }
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
