/// What is wrong with an inference request, told before any model has looked at it.
public enum OpenInferenceError: Error, Equatable, Sendable {
    /// `Inference-Header-Content-Length` is no number within 0…the body's length.
    case headerLength(found: String, bodyBytes: Int)
    case malformedJSON(offset: Int, expected: String)
    /// A member of the wrong type or out of range.
    case member(path: String, expected: String)
    case missingMember(path: String)
    case repeatedMember(path: String)
    case tooMany(path: String, limit: Int)
    case repeatedName(path: String, name: String)
    case datatype(tensor: String, found: String)
    case shape(tensor: String, found: [Int], reason: ShapeFault)
    /// Neither `data` nor `binary_data_size`, or both.
    case content(tensor: String, hasBoth: Bool)
    /// An element of `data`, counted through all its lists.
    case element(tensor: String, index: Int, expected: String)
    case elementCount(tensor: String, found: Int, expected: Int)
    case byteCount(tensor: String, found: Int, expected: Int)
    /// A BYTES element that is longer than what is left of its tensor.
    case truncatedElement(tensor: String, index: Int)
    /// What follows the JSON is not as long as the tensors say.
    case binaryByteCount(found: Int, expected: Int)
    /// There is no room for the tensors.
    case noMemory(bytes: Int)
}

/// What a shape may not be.
public enum ShapeFault: Equatable, Sendable {
    case notPositive
    case overflow
}

extension OpenInferenceError: CustomStringConvertible {
    /// A sentence for whoever sent the request.
    public var description: String {
        switch self {
        case .headerLength(let found, let bodyBytes):
            "Inference-Header-Content-Length is '\(found)', expected a whole number from 0 to the body's \(bodyBytes) bytes"
        case .malformedJSON(let offset, let expected):
            "malformed JSON at byte \(offset) of the request, expected \(expected)"
        case .member(let path, let expected): "'\(path)' must be \(expected)"
        case .missingMember(let path): "'\(path)' is missing"
        case .repeatedMember(let path): "'\(path)' is given twice"
        case .tooMany(let path, let limit): "'\(path)' has more than \(limit) elements"
        case .repeatedName(let path, let name): "'\(path)' names '\(name)' twice"
        case .datatype(let tensor, let found):
            "input '\(tensor)' has datatype '\(found)', expected one of "
                + Datatype.allCases.map(\.rawValue).joined(separator: ", ")
        case .shape(let tensor, let found, .notPositive):
            "input '\(tensor)' has shape \(found), expected dimensions of 1 and more"
        case .shape(let tensor, let found, .overflow):
            "input '\(tensor)' has shape \(found), which has more elements than can be counted"
        case .content(let tensor, hasBoth: true): "input '\(tensor)' has both 'data' and 'binary_data_size'"
        case .content(let tensor, hasBoth: false): "input '\(tensor)' has neither 'data' nor 'binary_data_size'"
        case .element(let tensor, let index, let expected):
            "element \(index) of input '\(tensor)' must be \(expected)"
        case .elementCount(let tensor, let found, let expected):
            "input '\(tensor)' has \(found) elements, but its shape has \(expected)"
        case .byteCount(let tensor, let found, let expected):
            "input '\(tensor)' has \(found) bytes, but its shape and datatype take \(expected)"
        case .truncatedElement(let tensor, let index):
            "input '\(tensor)' ends within element \(index)"
        case .binaryByteCount(let found, let expected):
            "\(found) bytes follow the JSON, but the inputs' binary_data_size adds up to \(expected)"
        case .noMemory(let bytes): "the requests being answered leave no room for \(bytes) bytes of tensors"
        }
    }
}
