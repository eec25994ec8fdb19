#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A terminal that nobody sits at, for a command's output.
final class PseudoTerminal {
    private var descriptor: Int32 = -1
    /// Kept open, so that what was written can be read when the command has ended.
    private var other: Int32 = -1
    /// Where a command opens it.
    let path: String

    init() throws {
        var name = [CChar](repeating: 0, count: 128)
        guard openpty(&descriptor, &other, &name, nil, nil) == 0 else {
            throw CommandRun.SpawnError(path: "/dev/ptmx", code: errno)
        }
        path = String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
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
