import HTTP
import HTTPServer

/// The answer of `/v1/classify`.
struct ClassificationAnswer: InferenceAnswer {
    let topK: Int
    let mapCount: Int
    var wantsLogits: Bool { false }
    var wantsFeatures: Bool { false }
    var allowsFailures: Bool { true }

    func response(_ outcomes: [ImageOutcome], model: ClassifierModel) -> Response {
        .results(
            outcomes, model: model, bytesPerImage: 64 + topK * 96 + mapCount * 4096
        ) { result, json in
            json.value("width", result.width)
            json.value("height", result.height)
            json.array("predictions") {
                for prediction in result.predictions {
                    $0.object {
                        $0.value("index", prediction.index)
                        $0.value("label", model.labels[prediction.index])
                        $0.value("probability", prediction.probability)
                    }
                }
            }
            if let explanation = result.explanation { json.object("cam") { explanation.write(to: &$0) } }
        }
    }
}

/// The answer of `/v1/embed`.
struct EmbeddingAnswer: InferenceAnswer {
    /// For the metric of the first class.
    var topK: Int { 1 }
    var wantsLogits: Bool { false }
    var wantsFeatures: Bool { true }
    var allowsFailures: Bool { true }

    func response(_ outcomes: [ImageOutcome], model: ClassifierModel) -> Response {
        .results(outcomes, model: model, bytesPerImage: 32 + 12 * model.plan.featureCount) { result, json in
            json.array("embedding") { for value in result.features { $0.value(nil, value) } }
        }
    }
}

extension Response {
    /// `{"model", "version", "results": [{…}]}`, the entries' members by `write`.
    fileprivate static func results(
        _ outcomes: [ImageOutcome], model: ClassifierModel, bytesPerImage: Int,
        _ write: (ImageResult, inout JSONWriter) -> Void
    ) -> Response {
        var json = JSONWriter(capacity: 128 + outcomes.count * bytesPerImage)
        json.object {
            $0.value("model", model.name)
            $0.value("version", String(model.version))
            $0.array("results") {
                for outcome in outcomes {
                    switch outcome {
                    case .result(let result): $0.object { write(result, &$0) }
                    case .failure(let failure): $0.object { failure.write(to: &$0) }
                    }
                }
            }
        }
        return Response(contentType: "application/json", body: json.bytes)
    }
}

extension ServiceFailure {
    /// The entry of an image among others.
    fileprivate func write(to json: inout JSONWriter) {
        let (status, title, _) = presentation
        json.object("error") {
            $0.value("title", title)
            $0.value("status", status.code)
            $0.value("detail", detail)
        }
    }
}
