import HTTPServer
import HTTPTypes
import Inference
import OpenInference

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The answer of `/v2/models/{model}/infer`.
struct V2Answer: InferenceAnswer {
    private struct Output {
        var tensor: V2Tensor.Output
        var isBinary: Bool
        var classCount: Int?
    }

    private let id: String?
    private let outputs: [Output]

    /// For the metric of the first class.
    var topK: Int { 1 }
    var wantsLogits: Bool { outputs.contains { $0.tensor != .features } }
    var wantsFeatures: Bool { outputs.contains { $0.tensor == .features } }
    var allowsFailures: Bool { false }

    /// - Throws: `badTensor` for an output that there is not.
    init(_ request: InferRequest, model: ClassifierModel) throws(ServiceFailure) {
        id = request.id
        guard let requested = request.outputs, !requested.isEmpty else {
            outputs = V2Tensor.Output.standard.map { Output(tensor: $0, isBinary: request.prefersBinary) }
            return
        }
        var outputs: [Output] = []
        for output in requested {
            guard let tensor = V2Tensor.Output(rawValue: output.name) else {
                throw .badTensor(
                    reason: "no output is called '\(output.name)'; there are "
                        + V2Tensor.Output.allCases.map { "'\($0.rawValue)'" }.joined(separator: ", "))
            }
            outputs.append(
                Output(
                    tensor: tensor, isBinary: output.isBinary ?? request.prefersBinary,
                    classCount: output.classCount.map { min($0, tensor.count(model)) }))
        }
        self.outputs = outputs
    }

    func response(_ outcomes: [ImageOutcome], model: ClassifierModel) throws(ServiceFailure) -> Response {
        let results: [ImageResult] = outcomes.map {
            guard case .result(let result) = $0 else { preconditionFailure("a failed image among the answered") }
            return result
        }
        var tensors: [OutputTensor] = []
        for output in outputs {
            let rows = results.map { output.tensor.values($0) }
            guard let classCount = output.classCount else {
                if !output.isBinary, let image = rows.firstIndex(where: { !$0.allSatisfy(\.isFinite) }) {
                    throw .badTensor(
                        reason: "'\(output.tensor.rawValue)' of image \(image) is not finite, for which JSON has no "
                            + "word; ask for binary data")
                }
                tensors.append(
                    OutputTensor(
                        name: output.tensor.rawValue, shape: [rows.count, output.tensor.count(model)],
                        values: .floats(rows), isBinary: output.isBinary))
                continue
            }
            let labels = output.tensor == .features ? nil : model.labels
            tensors.append(
                OutputTensor(
                    name: output.tensor.rawValue, shape: [rows.count, classCount],
                    values: .strings(rows.flatMap { Self.classes(classCount, of: $0, labels) }),
                    isBinary: output.isBinary))
        }
        let (body, headerLength) = InferResponse(
            modelName: model.name, modelVersion: String(model.version), id: id, outputs: tensors
        ).encoded()
        var response = Response(
            contentType: headerLength == nil ? "application/json" : "application/octet-stream", body: body)
        if let headerLength { response.fields[ServiceContext.headerLengthField] = String(headerLength) }
        return response
    }

    /// `value:index:label`, the largest first.
    ///
    /// Source: the classification extension; the value has six decimals, as Triton writes it.
    private static func classes(_ count: Int, of values: [Float], _ labels: [String]?) -> [String] {
        Prediction.largest(count, of: values).map { index in
            let label = labels.map { ":" + $0[index] } ?? ""
            return "\(sixDecimals(values[index])):\(index)\(label)"
        }
    }

    private static func sixDecimals(_ value: Float) -> String {
        // The longest float has 39 digits before the point.
        var text = [CChar](repeating: 0, count: 64)
        let count = withVaList([Double(value)]) { vsnprintf(&text, text.count, "%f", $0) }
        return String(decoding: text.prefix(Int(count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

extension V2Tensor.Output {
    fileprivate func values(_ result: ImageResult) -> [Float] {
        switch self {
        case .probabilities: Prediction.probabilities(logits: result.logits)
        case .logits: result.logits
        case .features: result.features
        }
    }
}
