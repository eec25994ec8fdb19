/// The element types of tensors that are served.
///
/// Source: Open Inference Protocol V2, "Tensor Data Types".
public enum Datatype: String, Sendable, CaseIterable {
    case fp32 = "FP32"
    case uint8 = "UINT8"
    /// Elements of any length, each behind its length in four bytes, little-endian.
    case bytes = "BYTES"

    /// Units: bytes. Nil where each element has a length of its own.
    public var elementByteCount: Int? {
        switch self {
        case .fp32: 4
        case .uint8: 1
        case .bytes: nil
        }
    }
}
