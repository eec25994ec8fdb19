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
}
