import HTTP
import HTTPServer

/// The tensors of every model, as the protocol calls them.
enum V2Tensor {
    static let input = "input"

    enum Output: String, CaseIterable {
        case probabilities
        case logits
        /// Pooled, before the classifier: only for who asks.
        case features

        /// What is sent where a request asks for no output in particular, and what the metadata tells of.
        static let standard: [Output] = [.probabilities, .logits]

        func count(_ model: ClassifierModel) -> Int {
            switch self {
            case .probabilities, .logits: model.plan.classCount
            case .features: model.plan.featureCount
            }
        }
    }

    static let platform = "swiftlet"
}

extension ServiceContext {
    func describeServer(_ request: Request, _ responder: Responder) {
        var json = JSONWriter()
        json.object {
            $0.value("name", "swiftlet")
            $0.value("version", metrics.build.version)
            $0.array("extensions") { list in for name in V2Routes.extensions { list.value(nil, name) } }
        }
        responder.respond(Response(contentType: "application/json", body: json.bytes))
    }
}

extension Response {
    static func v2Metadata(_ model: ClassifierModel, versions: [Int]) -> Response {
        var json = JSONWriter()
        func tensor(_ name: String, _ shape: [Int], to json: inout JSONWriter) {
            json.object {
                $0.value("name", name)
                $0.value("datatype", "FP32")
                $0.array("shape") { list in for dimension in shape { list.value(nil, dimension) } }
            }
        }
        json.object {
            $0.value("name", model.name)
            $0.array("versions") { list in for version in versions { list.value(nil, String(version)) } }
            $0.value("platform", V2Tensor.platform)
            $0.array("inputs") { tensor(V2Tensor.input, [-1] + model.planarShape, to: &$0) }
            $0.array("outputs") {
                for output in V2Tensor.Output.standard {
                    tensor(output.rawValue, [-1, output.count(model)], to: &$0)
                }
            }
        }
        return Response(contentType: "application/json", body: json.bytes)
    }

    /// Source: Triton's `model_config.proto`, as its HTTP server writes it.
    static func v2Configuration(_ model: ClassifierModel, _ settings: Settings, imageLimit: Int) -> Response {
        var json = JSONWriter()
        json.object {
            $0.value("name", model.name)
            $0.value("platform", V2Tensor.platform)
            $0.value("backend", V2Tensor.platform)
            // Of a request. How many are computed together is the dynamic batcher's.
            $0.value("max_batch_size", imageLimit)
            $0.array("input") {
                $0.object {
                    $0.value("name", V2Tensor.input)
                    $0.value("data_type", "TYPE_FP32")
                    $0.value("format", "FORMAT_NCHW")
                    $0.array("dims") { list in for side in model.planarShape { list.value(nil, side) } }
                }
            }
            $0.array("output") {
                for output in V2Tensor.Output.standard {
                    $0.object {
                        $0.value("name", output.rawValue)
                        $0.value("data_type", "TYPE_FP32")
                        $0.array("dims") { $0.value(nil, output.count(model)) }
                        $0.value("label_filename", model.stored.description.labels ?? "")
                    }
                }
            }
            $0.object("dynamic_batching") {
                $0.array("preferred_batch_size") { $0.value(nil, settings.maxBatchSize) }
                $0.value("max_queue_delay_microseconds", settings.maxQueueDelayMicroseconds)
            }
            $0.array("instance_group") {
                $0.object {
                    $0.value("name", model.name)
                    $0.value("kind", "KIND_CPU")
                    $0.value("count", settings.threadCount)
                }
            }
            $0.object("response_cache") { $0.value("enable", false) }
            $0.object("model_transaction_policy") { $0.value("decoupled", false) }
        }
        return Response(contentType: "application/json", body: json.bytes)
    }
}

extension ClassifierModel {
    /// Of one image: channels, height, width.
    var planarShape: [Int] { [plan.architecture.inputChannels, plan.inputHeight, plan.inputWidth] }
}
