/// What the elements of a stored tensor are, named as safetensors names them.
public enum ElementType: String, Sendable, CaseIterable {
    case float32 = "F32"
    case float16 = "F16"
    case bfloat16 = "BF16"
    case int8 = "I8"
    case uint8 = "U8"
    case int64 = "I64"

    /// Units: bytes an element.
    public var size: Int {
        switch self {
        case .int8, .uint8: 1
        case .float16, .bfloat16: 2
        case .float32: 4
        case .int64: 8
        }
    }

    /// Whether every value is exactly an f32.
    public var isFloat: Bool {
        switch self {
        case .float32, .float16, .bfloat16: true
        case .int8, .uint8, .int64: false
        }
    }
}
