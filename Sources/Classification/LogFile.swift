import Parallelism

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A file that lines are added to, which somebody may rename meanwhile and have opened anew.
///
/// Concurrency: `write` and `reopen` belong to one thread at a time, that of the file's `LineWriter`.
final class LogFile: @unchecked Sendable {
    let path: String
    private var descriptor: Int32

    /// - Throws: `LogFileError`.
    init(path: String) throws(LogFileError) {
        self.path = path
        descriptor = try Self.open(path)
    }

    deinit { close(descriptor) }

    /// - Returns: 0 or an `errno`.
    func write(_ text: String) -> Int32 { SystemFile.write(text, to: descriptor) }

    /// Goes on in whatever lies at the path now, or in a new file.
    /// - Throws: `LogFileError`; then it goes on where it was.
    func reopen() throws(LogFileError) {
        let next = try Self.open(path)
        close(descriptor)
        descriptor = next
    }

    private static func open(_ path: String) throws(LogFileError) -> Int32 {
        // A pipe that nobody reads is an error, and nothing to wait for.
        let descriptor = systemOpen(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0o640)
        guard descriptor >= 0 else { throw LogFileError(path: path, code: errno) }
        // Written to by a thread that may wait.
        let flags = fcntl(descriptor, F_GETFL)
        guard flags >= 0, fcntl(descriptor, F_SETFL, flags & ~O_NONBLOCK) >= 0 else {
            let code = errno
            close(descriptor)
            throw LogFileError(path: path, code: code)
        }
        return descriptor
    }
}

/// Why a file cannot be logged to.
public struct LogFileError: Error, Equatable, Sendable, CustomStringConvertible {
    public let path: String
    /// errno's value.
    public let code: Int32

    public var description: String {
        "cannot open \(path) for the access log: \(strerror(code).map { String(cString: $0) } ?? "error \(code)")"
    }
}

private func systemOpen(_ path: String, _ flags: Int32, _ mode: mode_t) -> Int32 {
    #if canImport(Glibc)
    Glibc.open(path, flags, mode)
    #else
    Musl.open(path, flags, mode)
    #endif
}
