/// An inference request, read from its body.
///
/// Source: Open Inference Protocol V2, "Inference"; the extensions for binary data, classification and scheduling.
public struct InferRequest: Sendable, Equatable {
    /// Echoed in the answer.
    public var id: String?
    /// 0 is the default, 1 the highest.
    public var priority = 0
    /// Units: microseconds. Nil without a limit.
    public var timeoutMicroseconds: Int?
    /// Whether outputs that do not say are sent as binary data.
    public var prefersBinary = false
    public var inputs: [InputTensor] = []
    /// Nil where all are wanted.
    public var outputs: [RequestedOutput]?

    /// Tensors of a request, and outputs.
    public static let tensorLimit = 16
    public static let rankLimit = 8
    /// Lengths of names and ids. Units: Unicode scalars, as JSON Schema counts.
    public static let nameLimit = 1024
    /// A day. Units: microseconds.
    public static let longestTimeout = 86_400_000_000

    /// Reads a body: JSON of `headerLength` bytes, then the binary inputs; all JSON where nil; where 0, the only element
    /// of the tensor `rawInputName` itself, all outputs of which go back as binary data.
    ///
    /// - Parameter hold: asked before memory is taken for elements that come as JSON. Units: bytes.
    /// - Throws: `OpenInferenceError`.
    /// - Complexity: linear in the body, in time and in memory.
    public init(
        body: [UInt8], headerLength: Int?, rawInputName: String, hold: (Int) -> Bool = { _ in true }
    ) throws(OpenInferenceError) {
        if headerLength == 0 {
            prefersBinary = true
            inputs = [
                InputTensor(
                    name: rawInputName, datatype: .bytes, shape: [1], elementCount: 1, storage: body,
                    range: 0..<body.count, isRaw: true)
            ]
            return
        }
        let length = headerLength ?? body.count
        guard (0...body.count).contains(length) else {
            throw .headerLength(found: String(length), bodyBytes: body.count)
        }
        var reader = InferRequestReader(JSONScanner(body, range: 0..<length), binaryStart: length)
        try reader.read(into: &self, hold: hold)
    }

    /// The value of `Inference-Header-Content-Length`.
    /// - Throws: `headerLength`.
    public static func headerLength(_ text: String, bodyBytes: Int) throws(OpenInferenceError) -> Int {
        guard !text.isEmpty, text.utf8.allSatisfy({ $0 &- 0x30 < 10 }), let length = Int(text), length <= bodyBytes
        else { throw .headerLength(found: text, bodyBytes: bodyBytes) }
        return length
    }
}
