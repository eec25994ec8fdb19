#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The small text files in which the system describes itself: /proc and /sys.
public enum SystemFile {
    /// Far more than any such file has.
    private static let maxBytes = 4 << 20

    /// The whole text at `path`; nil where the file cannot be read, is larger than 4 MiB or not UTF-8.
    public static func text(at path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 << 10)
        while bytes.count <= maxBytes {
            let count = read(descriptor, &chunk, chunk.count)
            if count == 0 { return String(validating: bytes, as: UTF8.self) }
            if count < 0 {
                guard errno == EINTR else { return nil }
                continue
            }
            bytes.append(contentsOf: chunk[..<count])
        }
        return nil
    }

    /// Writes all of `text`, however many calls that takes.
    ///
    /// - Returns: 0, or the `errno` of the call that failed.
    public static func write(_ text: String, to descriptor: Int32) -> Int32 {
        var text = text
        return text.withUTF8 { bytes in
            var rest = UnsafeRawBufferPointer(bytes)[...]
            while !rest.isEmpty {
                let view = UnsafeRawBufferPointer(rebasing: rest)
                let written = systemWrite(descriptor, view.baseAddress, view.count)
                if written < 0 {
                    if errno == EINTR { continue }
                    return errno
                }
                rest = rest.dropFirst(written)
            }
            return 0
        }
    }
}

private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
    #if canImport(Glibc)
    Glibc.write(descriptor, bytes, count)
    #else
    Musl.write(descriptor, bytes, count)
    #endif
}
