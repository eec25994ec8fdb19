import Tensors

extension Safetensors {
    /// Writes a file that replaces `path` at once.
    ///
    /// Layout: wide elements first, then by name, the header padded to 8 bytes: every tensor is aligned to its
    /// element, and the same tensors give the same bytes.
    /// - Precondition: no tensor is called `__metadata__`.
    /// - Throws: `file` where it cannot be written.
    public static func write(
        _ tensors: [String: StoredTensor], metadata: [String: String] = [:], to path: String
    ) throws(CheckpointError) {
        precondition(tensors["__metadata__"] == nil, "a tensor called __metadata__")
        let ordered = tensors.sorted {
            ($1.value.elementType.size, $0.key) < ($0.value.elementType.size, $1.key)
        }
        let header = Self.header(ordered, metadata)
        let length = (0..<8).map { UInt8(truncatingIfNeeded: header.count >> ($0 * 8)) }
        do throws(TensorFileError) {
            let file = try AtomicFile(path: path)
            try file.write(length + header)
            for (_, tensor) in ordered {
                try tensor.withBytes { bytes throws(TensorFileError) in try file.write(bytes) }
            }
            try file.finish()
        } catch { throw .file(error) }
    }

    private static func header(_ tensors: [(key: String, value: StoredTensor)], _ metadata: [String: String]) -> [UInt8]
    {
        var members: [String] = []
        if !metadata.isEmpty {
            let pairs = metadata.sorted { $0.key < $1.key }.map { "\(quoted($0.key)):\(quoted($0.value))" }
            members.append("\"__metadata__\":{\(pairs.joined(separator: ","))}")
        }
        var begin = 0
        for (name, tensor) in tensors {
            let end = begin + tensor.byteCount
            let shape = tensor.shape.dimensions.map(String.init).joined(separator: ",")
            members.append(
                "\(quoted(name)):{\"dtype\":\"\(tensor.elementType.rawValue)\",\"shape\":[\(shape)],"
                    + "\"data_offsets\":[\(begin),\(end)]}")
            begin = end
        }
        let json = Array("{\(members.joined(separator: ","))}".utf8)
        return json + [UInt8](repeating: UInt8(ascii: " "), count: (8 - json.count % 8) % 8)
    }

    /// The string as JSON. Source: RFC 8259, section 7.
    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": quoted += "\\\(scalar)"
            case "\0"..<" ":
                let hexadecimal = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - hexadecimal.count) + hexadecimal
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
