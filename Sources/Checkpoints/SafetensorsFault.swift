import Tensors

/// Why a file is not in the safetensors format, or holds what is not supported.
public enum SafetensorsFault: Error, Equatable, Sendable {
    /// Units: bytes of the file, which does not even hold the header's length.
    case tooShort(Int)
    /// Units: bytes.
    case headerTooLong(found: UInt64, limit: Int)
    /// The header runs past the end of the file. Units: bytes.
    case headerTruncated(declared: Int, available: Int)
    /// Offset of the header's first wrong byte, counted from its start.
    case malformedHeader(offset: Int, expected: String)
    case duplicateTensor(String)
    case duplicateKey(tensor: String, key: String)
    case duplicateMetadata(key: String)
    case unknownKey(tensor: String, key: String)
    case missingKey(tensor: String, key: String)
    case unsupportedElementType(tensor: String, type: String)
    case negativeNumber(tensor: String, key: String)
    /// A number, or the product of the dimensions, does not fit in 64 bits.
    case overflow(tensor: String, key: String)
    case offsetsNotAPair(tensor: String, count: Int)
    case offsetsReversed(tensor: String, begin: Int, end: Int)
    /// Units: bytes; `available` is what follows the header.
    case offsetsOutOfRange(tensor: String, end: Int, available: Int)
    /// Units: bytes.
    case sizeMismatch(tensor: String, found: Int, expected: Int)
    case overlap(tensor: String, with: String)
    /// Bytes before a tensor that belong to none.
    case hole(before: String, byteCount: Int)
    /// Bytes behind the last tensor.
    case trailingBytes(Int)
}

extension SafetensorsFault: CustomStringConvertible {
    public var description: String {
        switch self {
        case .tooShort(let count): "\(count) bytes are no safetensors file"
        case .headerTooLong(let found, let limit): "a header of \(found) bytes, more than \(limit)"
        case .headerTruncated(let declared, let available):
            "a header of \(declared) bytes in a file with \(available) left: cut off, or no safetensors file"
        case .malformedHeader(let offset, let expected): "byte \(offset) of the header: expected \(expected)"
        case .duplicateTensor(let tensor): "tensor '\(tensor)' is there twice"
        case .duplicateKey(let tensor, let key): "tensor '\(tensor)' has '\(key)' twice"
        case .duplicateMetadata(let key): "the metadata have '\(key)' twice"
        case .unknownKey(let tensor, let key): "tensor '\(tensor)' has an unknown key '\(key)'"
        case .missingKey(let tensor, let key): "tensor '\(tensor)' has no '\(key)'"
        case .unsupportedElementType(let tensor, let type):
            "tensor '\(tensor)' is of type \(type), not "
                + ElementType.allCases.map(\.rawValue).joined(separator: ", ")
        case .negativeNumber(let tensor, let key): "tensor '\(tensor)' has a negative number in '\(key)'"
        case .overflow(let tensor, let key): "tensor '\(tensor)': '\(key)' overflows 64 bits"
        case .offsetsNotAPair(let tensor, let count): "tensor '\(tensor)' has \(count) offsets instead of 2"
        case .offsetsReversed(let tensor, let begin, let end): "tensor '\(tensor)' ends at \(end), before \(begin)"
        case .offsetsOutOfRange(let tensor, let end, let available):
            "tensor '\(tensor)' ends at \(end) of \(available) bytes: the file is cut off"
        case .sizeMismatch(let tensor, let found, let expected):
            "tensor '\(tensor)' has \(found) bytes where its shape needs \(expected)"
        case .overlap(let tensor, let other): "tensor '\(tensor)' overlaps '\(other)'"
        case .hole(let tensor, let count): "\(count) bytes before tensor '\(tensor)' belong to no tensor"
        case .trailingBytes(let count): "\(count) bytes behind the last tensor belong to no tensor"
        }
    }
}
