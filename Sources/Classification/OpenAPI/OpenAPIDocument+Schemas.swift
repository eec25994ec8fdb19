import HTTP
import OpenInference

extension OpenAPIDocument {
    func writeSchemas(to json: inout JSONWriter) {
        let used = Set(routes.map(\.label))
        for (name, schema) in Self.errorSchemas { json.json(key: name, schema) }
        if used.contains(Routes.classify) {
            for (name, schema) in imageSchemas + Self.modelSchemas + inferSchemas + Self.protocolSchemas {
                json.json(key: name, schema)
            }
        }
        if used.contains(Routes.loadModel) {
            for (name, schema) in Self.repositorySchemas { json.json(key: name, schema) }
        }
    }

    private static let errorSchemas = [
        (
            "Problem",
            """
            {"description":"RFC 9457","type":"object","required":["type","title","status","detail","request_id"],\
            "properties":{"type":{"const":"about:blank"},"title":{"type":"string"},\
            "status":{"type":"integer","minimum":400,"maximum":599},"detail":{"type":"string"},\
            "request_id":{"type":"string"}},"additionalProperties":false}
            """
        ),
        (
            "Error",
            """
            {"type":"object","required":["error"],"properties":{"error":{"type":"string"}},"additionalProperties":false}
            """
        ),
    ]

    // MARK: - /v1

    private var imageSchemas: [(String, String)] {
        [
            (
                "ImageForm",
                """
                {"description":"One image a part. Parts of other names are taken for images, too; text is refused","type":"object",\
                "properties":{"image":{"type":"array","minItems":1,"maxItems":\(limits.images),\
                "items":{"type":"string","format":"binary"}}},"required":["image"],"additionalProperties":false}
                """
            ),
            (
                "ImageList",
                """
                {"type":"object","required":["images"],"additionalProperties":false,"properties":{"images":{"type":"array",\
                "minItems":1,"maxItems":\(limits.images),"items":{"type":"object","required":["b64"],\
                "additionalProperties":false,"properties":{"b64":{"description":"An image file","type":"string",\
                "contentEncoding":"base64","format":"byte"}}}}}}
                """
            ),
            (
                "ImageError",
                """
                {"description":"An image among others that could not be read","type":"object","required":["error"],\
                "properties":{"error":{"type":"object","required":["title","status","detail"],"properties":{\
                "title":{"type":"string"},"status":{"type":"integer","minimum":400,"maximum":599},\
                "detail":{"type":"string"}},"additionalProperties":false}},"additionalProperties":false}
                """
            ),
            (
                "Classification",
                results(
                    """
                    {"type":"object","required":["width","height","predictions"],"properties":{\
                    "width":{"description":"Of the picture as its EXIF orientation turns it","type":"integer","minimum":1},\
                    "height":{"type":"integer","minimum":1},"predictions":{"description":"The likeliest first",\
                    "type":"array","minItems":1,"items":{"type":"object","required":["index","label","probability"],\
                    "properties":{"index":{"type":"integer","minimum":0},"label":{"type":"string"},\
                    "probability":{"type":"number","minimum":0,"maximum":1}},"additionalProperties":false}},\
                    "cam":\(Self.maps)},\
                    "additionalProperties":false}
                    """)
            ),
            (
                "Embedding",
                results(
                    """
                    {"type":"object","required":["embedding"],"properties":{"embedding":{"type":"array","minItems":1,\
                    "items":{"type":"number"}}},"additionalProperties":false}
                    """)
            ),
        ]
    }

    private static let maps = """
        {"description":"With explain=cam: where the likeliest classes were seen","type":"object",\
        "required":["box","maps"],"properties":{"box":{"description":"The part of the picture that the maps lie over, in \
        its pixels after orientation; the model saw no other. It may reach beyond the picture",\
        "type":"object","required":["x","y","width","height"],"properties":{"x":{"type":"number"},\
        "y":{"type":"number"},"width":{"type":"number","exclusiveMinimum":0},\
        "height":{"type":"number","exclusiveMinimum":0}},"additionalProperties":false},\
        "maps":{"type":"array","minItems":1,"items":{"type":"object",\
        "required":["index","low","high","width","height","png"],"properties":{\
        "index":{"description":"Of the class","type":"integer","minimum":0},\
        "low":{"description":"What black stands for, in the unit of the logits","type":"number"},\
        "high":{"description":"What white stands for","type":"number"},\
        "width":{"description":"Of the PNG","type":"integer","minimum":1},"height":{"type":"integer","minimum":1},\
        "png":{"description":"A grayscale picture","type":"string","contentEncoding":"base64",\
        "contentMediaType":"image/png"}},"additionalProperties":false}}},"additionalProperties":false}
        """

    private func results(_ entry: String) -> String {
        """
        {"type":"object","required":["model","version","results"],"properties":{"model":{"type":"string"},\
        "version":{"type":"string","pattern":"^[1-9][0-9]*$"},"results":{"type":"array","minItems":1,\
        "maxItems":\(limits.images),"items":{"oneOf":[\(entry),{"$ref":"#/components/schemas/ImageError"}]}}},\
        "additionalProperties":false}
        """
    }

    private static let state = """
        {"enum":["READY","LOADING","UNAVAILABLE"]}
        """

    private static let modelSchemas = [
        (
            "ModelVersion",
            """
            {"description":"All but the first four is told of versions that answer","type":"object",\
            "required":["name","version","state","reason"],"properties":{"name":{"type":"string"},\
            "version":{"type":"string"},"state":\(state),"reason":{"description":"Empty where there is nothing to say",\
            "type":"string"},"architecture":{"type":"string"},"input_size":{"type":"integer"},\
            "precision":{"enum":["fp32","int8"]},"labels":{"description":"How many","type":"integer"},\
            "parameters":{"type":"integer"},"macs":{"type":"integer"},"preprocessing":{"type":"object",\
            "required":["resize","crop","filter","mean","std"],"properties":{"resize":{"type":"integer"},\
            "crop":{"type":"integer"},"filter":{"type":"string"},"mean":{"type":"array","items":{"type":"number"}},\
            "std":{"type":"array","items":{"type":"number"}}},"additionalProperties":false},\
            "licence":{"type":"string"},"description":{"type":"string"},"sha256":{"description":\
            "Of the weights that were loaded; null until it has been computed","type":["string","null"],\
            "pattern":"^[0-9a-f]{64}$"}},"additionalProperties":false}
            """
        ),
        (
            "ModelList",
            """
            {"type":"object","required":["max_body_bytes","models"],"properties":{"default_model":{"type":"string"},\
            "max_body_bytes":{"description":"No request may have a longer body","type":"integer","minimum":1},\
            "models":{"type":"array","items":{"$ref":"#/components/schemas/ModelVersion"}}},"additionalProperties":false}
            """
        ),
        (
            "ModelVersions",
            """
            {"type":"object","required":["name","versions"],"properties":{"name":{"type":"string"},\
            "versions":{"type":"array","minItems":1,"items":{"$ref":"#/components/schemas/ModelVersion"}}},\
            "additionalProperties":false}
            """
        ),
    ]

    // MARK: - The repository

    private static let milliseconds = #"{"type":"number","minimum":0}"#

    private static let repositorySchemas = [
        (
            "BatchList",
            """
            {"type":"object","required":["batches"],"properties":{"batches":{"type":"array","items":{"type":"object",\
            "required":["started","model","version","size","reason","queue_ms","compute_ms"],"properties":{\
            "started":{"type":"string","format":"date-time"},"model":{"type":"string"},"version":{"type":"string"},\
            "size":{"description":"Images","type":"integer","minimum":1},\
            "reason":{"description":"Why it was not left to grow","enum":["full","delay","idle","drain"]},\
            "queue_ms":{"description":"How long its images had waited in the queue","type":"object",\
            "required":["min","median","max"],"properties":{"min":\(milliseconds),"median":\(milliseconds),\
            "max":\(milliseconds)},"additionalProperties":false},"compute_ms":\(milliseconds)},\
            "additionalProperties":false}}},"additionalProperties":false}
            """
        ),
        (
            "RepositoryIndexRequest",
            """
            {"type":"object","properties":{"ready":{"description":"Whether only versions that answer are wanted",\
            "type":["boolean","null"]}},"additionalProperties":false}
            """
        ),
        (
            "RepositoryIndex",
            """
            {"type":"array","items":{"type":"object","required":["name","version","state","reason"],"properties":{\
            "name":{"type":"string"},"version":{"type":"string"},"state":\(state),"reason":{"type":"string"}},\
            "additionalProperties":false}}
            """
        ),
        (
            "LoadRequest",
            """
            {"type":"object","properties":{"parameters":{"description":"There are none","type":["object","null"],\
            "additionalProperties":false}},"additionalProperties":false}
            """
        ),
        (
            "UnloadRequest",
            """
            {"type":"object","properties":{"parameters":{"type":["object","null"],"properties":{"unload_dependents":{\
            "description":"Makes no difference: no model depends on another","type":"boolean"}},\
            "additionalProperties":false}},"additionalProperties":false}
            """
        ),
    ]
}
