#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Why a file could not be mapped, read or written.
public enum TensorFileError: Error, Equatable, Sendable {
    /// `code` is errno's value.
    case cannotOpen(path: String, code: Int32)
    case notARegularFile(path: String)
    /// `code` is errno's value.
    case cannotMap(path: String, code: Int32)
    /// `code` is errno's value.
    case cannotRead(path: String, code: Int32)
    /// Somebody wrote to the file while it was read.
    case changedMeanwhile(path: String)
    /// `code` is errno's value.
    case cannotWrite(path: String, code: Int32)
    /// The file is not an array that `NpyArray` reads.
    case npy(path: String, NpyFault)
}

extension TensorFileError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .cannotOpen(let path, let code): "cannot open \(path): \(Self.message(code))"
        case .notARegularFile(let path): "\(path) is not a regular file"
        case .cannotMap(let path, let code): "cannot map \(path): \(Self.message(code))"
        case .cannotRead(let path, let code): "cannot read \(path): \(Self.message(code))"
        case .changedMeanwhile(let path): "\(path) changed while it was read"
        case .cannotWrite(let path, let code): "cannot write \(path): \(Self.message(code))"
        case .npy(let path, let fault): "\(path): \(fault)"
        }
    }

    private static func message(_ code: Int32) -> String {
        strerror(code).map { String(cString: $0) } ?? "error \(code)"
    }
}
