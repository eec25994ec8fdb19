import HTTP

@testable import Classification
@testable import OpenInference

extension FuzzTarget {
    /// What the model of these requests reads: `[C, H, W]`.
    private static let planarShape = [3, 1, 2]
    private static let limit = 4

    /// A body of the Open Inference Protocol, before its first LF the length of its JSON or nothing: every tensor has the
    /// bytes that its shape needs, of which none lie elsewhere; no more memory is taken than was asked for; the images are
    /// as many as the shape says, each of the model's size; and sent as binary data they are the same tensors again.
    static let v2 = FuzzTarget("v2") { bytes in
        let line = bytes.prefix { $0 != UInt8(ascii: "\n") }
        let body = Array(bytes.dropFirst(line.count + 1))
        var held = 0
        let hold: (Int) -> Bool = {
            held += $0
            return held <= 1 << 16
        }
        do {
            let text = Array(line).text
            let length = line.isEmpty ? nil : try InferRequest.headerLength(text, bodyBytes: body.count)
            let request = try InferRequest(body: body, headerLength: length, rawInputName: "input", hold: hold)
            return complaint(request, body, held: held)
        } catch { return "\(error)".isEmpty ? "an error of no use" : nil }
    }

    private static func complaint(_ request: InferRequest, _ body: [UInt8], held: Int) -> String? {
        let own = request.inputs.filter { $0.storage != body }.reduce(0) { $0 + $1.storage.count }
        if own > held { return "\(own) bytes taken, \(held) asked for" }
        if request.inputs.count > InferRequest.tensorLimit { return "\(request.inputs.count) inputs" }
        for tensor in request.inputs { if let complaint = complaint(tensor) { return complaint } }
        if let images = try? request.images(planarShape: planarShape, limit: limit) {
            if images.count != request.inputs[0].shape[0] || images.count > limit { return "\(images.count) images" }
            for case .planar(let image) in images where image.range.count != 24 { return "a tensor of another size" }
            for case .pixels(let image) in images where image.range.count != 6 { return "pixels of another size" }
        }
        return request.inputs.contains(where: \.isRaw) ? nil : complaintOfBinary(request)
    }

    private static func complaint(_ tensor: InputTensor) -> String? {
        guard tensor.range.lowerBound >= 0, tensor.range.upperBound <= tensor.storage.count else {
            return "no such bytes"
        }
        if tensor.shape.reduce(1, *) != tensor.elementCount || tensor.shape.contains(where: { $0 < 1 }) {
            return "\(tensor.elementCount) elements of shape \(tensor.shape)"
        }
        switch tensor.datatype {
        case .fp32: return tensor.range.count == 4 * tensor.elementCount ? nil : "\(tensor.range) of FP32"
        case .uint8: return tensor.range.count == tensor.elementCount ? nil : "\(tensor.range) of UINT8"
        case .bytes:
            guard tensor.elementCount < 1 << 16, let elements = try? tensor.byteElements() else { return nil }
            if elements.count != tensor.elementCount { return "\(elements.count) elements" }
            var end = tensor.range.lowerBound
            for element in elements {
                if element.lowerBound < end || element.upperBound > tensor.range.upperBound { return "\(element)" }
                end = element.upperBound
            }
            return nil
        }
    }

    private static func complaintOfBinary(_ request: InferRequest) -> String? {
        var json = JSONWriter()
        json.object {
            $0.array("inputs") {
                for tensor in request.inputs {
                    $0.object {
                        $0.value("name", tensor.name)
                        $0.value("datatype", tensor.datatype.rawValue)
                        $0.array("shape") { list in for side in tensor.shape { list.value(nil, side) } }
                        $0.object("parameters") { $0.value("binary_data_size", tensor.range.count) }
                    }
                }
            }
        }
        let binary = request.inputs.flatMap { $0.storage[$0.range] }
        let body = json.bytes + binary
        guard let again = try? InferRequest(body: body, headerLength: json.bytes.count, rawInputName: "input") else {
            return "not readable as binary data"
        }
        let isSame = again.inputs.elementsEqual(request.inputs) {
            $0.name == $1.name && $0.datatype == $1.datatype && $0.shape == $1.shape
                && $0.storage[$0.range] == $1.storage[$1.range]
        }
        return isSame ? nil : "other tensors as binary data"
    }
}
