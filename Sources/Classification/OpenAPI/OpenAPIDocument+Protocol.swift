import OpenInference

// The schemas of the Open Inference Protocol V2.

extension OpenAPIDocument {
    private static let shape = #"{"type":"array","items":{"type":"integer"}}"#

    private static var inputTypes: String {
        Datatype.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ",")
    }

    private static var outputNames: String {
        V2Tensor.Output.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ",")
    }

    var inferSchemas: [(String, String)] {
        let longest = InferRequest.nameLimit
        let parameters = """
            "additionalProperties":{"type":["string","number","boolean"]},"patternProperties":{"^shared_memory_":false},\
            "propertyNames":{"maxLength":\(longest)}
            """
        return [
            (
                "InferRequest",
                """
                {"type":"object","required":["inputs"],"properties":{"id":{"description":"Echoed in the answer","type":"string","maxLength":\(longest)},"parameters":{"type":"object","properties":{\
                "priority":{"description":"0 is the default, 1 the highest","type":"integer","minimum":0,\
                "maximum":\(UInt32.max)},"timeout":{"description":"Microseconds from the request's first byte; 0 for no limit",\
                "type":"integer","minimum":0,"maximum":\(InferRequest.longestTimeout)},\
                "binary_data_output":{"type":"boolean"}},\(parameters)},\
                "inputs":{"type":"array","minItems":1,"maxItems":1,"items":{"$ref":"#/components/schemas/InferInput"}},\
                "outputs":{"description":"probabilities and logits where it is left out or empty","type":"array",\
                "maxItems":\(V2Tensor.Output.allCases.count),"items":{"$ref":"#/components/schemas/InferOutput"}}}}
                """
            ),
            (
                "InferInput",
                """
                {"description":"FP32 [N, 3, H, W] normalised, UINT8 [N, H, W, 3], or BYTES [N] or [N, 1] with an image file an \
                element; N is at most \(limits.images)","type":"object","required":["name","datatype","shape"],"properties":{\
                "name":{"const":"\(V2Tensor.input)"},"datatype":{"enum":[\(Self.inputTypes)]},"shape":{"type":"array",\
                "minItems":1,"maxItems":4,"items":{"type":"integer","minimum":1}},"data":{"description":"As many elements \
                as the shape says, flat or nested; left out where they follow as binary data","type":"array"},\
                "parameters":{"type":"object","properties":{"binary_data_size":{"type":"integer","minimum":0}},\
                \(parameters)}}}
                """
            ),
            (
                "InferOutput",
                """
                {"type":"object","required":["name"],"properties":{"name":{"enum":[\(Self.outputNames)]},\
                "parameters":{"type":"object","properties":{"binary_data":{"type":"boolean"},"classification":{\
                "description":"The K largest, as BYTES value:index:label","type":"integer","minimum":1,\
                "maximum":\(Int32.max)}},\(parameters)}}}
                """
            ),
            (
                "InferResponse",
                """
                {"type":"object","required":["model_name","model_version","outputs"],"properties":{\
                "model_name":{"type":"string"},"model_version":{"type":"string"},"id":{"type":"string"},\
                "outputs":{"type":"array","minItems":1,"items":{"type":"object","required":["name","datatype","shape",\
                "data"],"properties":{"name":{"enum":[\(Self.outputNames)]},"datatype":{"enum":["FP32","BYTES"]},\
                "shape":\(Self.shape),"data":{"type":"array","items":{"type":["number","string"]}}},\
                "additionalProperties":false}}},"additionalProperties":false}
                """
            ),
        ]
    }

    private static func tensors(_ kind: String) -> String {
        """
        "\(kind)":{"type":"array","items":{"type":"object","required":["name","datatype","shape"],"properties":{\
        "name":{"type":"string"},"datatype":{"const":"FP32"},"shape":\(shape)},"additionalProperties":false}}
        """
    }

    private static let duration = """
        {"type":"object","required":["count","ns"],"properties":{"count":{"type":"integer","minimum":0},\
        "ns":{"type":"integer","minimum":0}},"additionalProperties":false}
        """

    private static func durations(_ names: [String]) -> String {
        names.map { "\"\($0)\":{\"$ref\":\"#/components/schemas/V2Duration\"}" }.joined(separator: ",")
    }

    static let protocolSchemas = [
        (
            "V2Server",
            """
            {"type":"object","required":["name","version","extensions"],"properties":{"name":{"type":"string"},\
            "version":{"type":"string"},"extensions":{"type":"array","items":{"type":"string"}}},\
            "additionalProperties":false}
            """
        ),
        (
            "V2Model",
            """
            {"type":"object","required":["name","versions","platform","inputs","outputs"],"properties":{\
            "name":{"type":"string"},"versions":{"type":"array","minItems":1,"items":{"type":"string"}},\
            "platform":{"type":"string"},\(tensors("inputs")),\(tensors("outputs"))},"additionalProperties":false}
            """
        ),
        (
            "V2Configuration",
            """
            {"description":"Triton's ModelConfig","type":"object","required":["name","platform","backend",\
            "max_batch_size","input","output"],"properties":{"name":{"type":"string"},"platform":{"type":"string"},\
            "backend":{"type":"string"},"max_batch_size":{"type":"integer","minimum":1},"input":{"type":"array"},\
            "output":{"type":"array"},"dynamic_batching":{"type":"object"},"instance_group":{"type":"array"},\
            "response_cache":{"type":"object"},"model_transaction_policy":{"type":"object"}},\
            "additionalProperties":false}
            """
        ),
        ("V2Duration", duration),
        (
            "V2Statistics",
            """
            {"type":"object","required":["model_stats"],"properties":{"model_stats":{"type":"array","items":{\
            "type":"object","required":["name","version","last_inference","inference_count","execution_count",\
            "inference_stats","batch_stats"],"properties":{"name":{"type":"string"},"version":{"type":"string"},\
            "last_inference":{"type":"integer"},"inference_count":{"type":"integer"},\
            "execution_count":{"type":"integer"},"inference_stats":{"type":"object","properties":{\
            \(durations(["success", "fail", "queue", "compute_input", "compute_infer", "compute_output", "cache_hit",
                "cache_miss"]))},"additionalProperties":false},"batch_stats":{"type":"array","items":{"type":"object",\
            "properties":{"batch_size":{"type":"integer","minimum":1},\
            \(durations(["compute_input", "compute_infer", "compute_output"]))},"additionalProperties":false}}},\
            "additionalProperties":false}}},"additionalProperties":false}
            """
        ),
    ]
}
