#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A terminal that nobody sits at, for a command's output.
final class PseudoTerminal {
    private let descriptor: Int32
    /// Kept open, so that what was written can be read when the command has ended.
    private let other: Int32
    /// Where a command opens it.
    let path: String

    init() throws {
        descriptor = posix_openpt(O_RDWR | O_NOCTTY)
        guard descriptor >= 0, grantpt(descriptor) == 0, unlockpt(descriptor) == 0, let name = ptsname(descriptor)
        else {
            throw CommandRun.SpawnError(path: "/dev/ptmx", code: errno)
        }
        path = String(cString: name)
        other = open(path, O_RDWR | O_NOCTTY)
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
    }

    deinit {
        close(other)
        close(descriptor)
    }

    /// What has been written so far, a few kilobytes at the most.
    func text() -> String {
        var buffer = [UInt8](repeating: 0, count: 4096)
        var bytes: [UInt8] = []
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
            bytes += buffer[..<count]
        }
    }
}
