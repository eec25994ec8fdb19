import HTTP

/// An output tensor of an answer.
public struct OutputTensor: Sendable {
    public enum Values: Sendable {
        /// FP32, a row an image.
        case floats([[Float]])
        /// BYTES.
        case strings([String])
    }

    public var name: String
    public var shape: [Int]
    public var values: Values
    public var isBinary: Bool

    /// - Precondition: the values are as many as the shape says.
    public init(name: String, shape: [Int], values: Values, isBinary: Bool) {
        let count =
            switch values {
            case .floats(let rows): rows.reduce(0) { $0 + $1.count }
            case .strings(let strings): strings.count
            }
        precondition(count == shape.reduce(1, *), "\(count) values of shape \(shape)")
        self.name = name
        self.shape = shape
        self.values = values
        self.isBinary = isBinary
    }

    var datatype: Datatype {
        switch values {
        case .floats: .fp32
        case .strings: .bytes
        }
    }

    /// Units: bytes. What the binary extension takes for it.
    var binaryByteCount: Int {
        switch values {
        case .floats(let rows): rows.reduce(0) { $0 + 4 * $1.count }
        case .strings(let strings): strings.reduce(0) { $0 + 4 + $1.utf8.count }
        }
    }
}

/// An inference answer.
///
/// Source: Open Inference Protocol V2, "Inference"; the extension for binary data.
public struct InferResponse: Sendable {
    public var modelName: String
    public var modelVersion: String
    public var id: String?
    public var outputs: [OutputTensor]

    public init(modelName: String, modelVersion: String, id: String?, outputs: [OutputTensor]) {
        self.modelName = modelName
        self.modelVersion = modelVersion
        self.id = id
        self.outputs = outputs
    }

    /// The body, and for `Inference-Header-Content-Length` how much of it is JSON: nil where all is.
    ///
    /// - Precondition: floats that are not sent as binary data are finite.
    public func encoded() -> (body: [UInt8], headerLength: Int?) {
        let binary = outputs.filter(\.isBinary)
        let numbers = outputs.reduce(0) { $0 + ($1.isBinary ? 0 : $1.binaryByteCount) }
        var json = JSONWriter(capacity: 256 + 4 * numbers)
        json.object {
            $0.value("model_name", modelName)
            $0.value("model_version", modelVersion)
            if let id { $0.value("id", id) }
            $0.array("outputs") {
                for output in outputs { Self.write(output, to: &$0) }
            }
        }
        guard !binary.isEmpty else { return (json.bytes, nil) }
        var body = json.bytes
        let headerLength = body.count
        body.reserveCapacity(headerLength + binary.reduce(0) { $0 + $1.binaryByteCount })
        for output in binary { Self.append(output.values, to: &body) }
        return (body, headerLength)
    }

    private static func write(_ output: OutputTensor, to json: inout JSONWriter) {
        json.object {
            $0.value("name", output.name)
            $0.value("datatype", output.datatype.rawValue)
            $0.array("shape") { list in for dimension in output.shape { list.value(nil, dimension) } }
            guard !output.isBinary else {
                return $0.object("parameters") { $0.value("binary_data_size", output.binaryByteCount) }
            }
            $0.array("data") { list in
                switch output.values {
                case .floats(let rows): for row in rows { for value in row { list.value(nil, value) } }
                case .strings(let strings): for string in strings { list.value(nil, string) }
                }
            }
        }
    }

    private static func append(_ values: OutputTensor.Values, to body: inout [UInt8]) {
        switch values {
        case .floats(let rows):
            for row in rows {
                for value in row { append(value.bitPattern, to: &body) }
            }
        case .strings(let strings):
            for string in strings {
                append(UInt32(string.utf8.count), to: &body)
                body.append(contentsOf: string.utf8)
            }
        }
    }

    private static func append(_ word: UInt32, to body: inout [UInt8]) {
        withUnsafeBytes(of: word.littleEndian) { body.append(contentsOf: $0) }
    }
}
