/// What the elements of a stored tensor are, named as safetensors names them.
public enum ElementType: String, Sendable, CaseIterable {
    case float32 = "F32"
    case float16 = "F16"
    case bfloat16 = "BF16"
    case int64 = "I64"

    /// Units: bytes an element.
    public var size: Int {
        switch self {
        case .float16, .bfloat16: 2
        case .float32: 4
        case .int64: 8
        }
    }

    /// Whether every value is exactly an f32.
    public var isFloat: Bool { self != .int64 }
}
