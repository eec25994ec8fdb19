// Request bodies and responses, as JSON.

extension OpenAPIOperation {
    private static let headers = """
        "X-Request-Id":{"$ref":"#/components/headers/X-Request-Id"},\
        "Server-Timing":{"$ref":"#/components/headers/Server-Timing"}
        """

    /// A response object.
    ///
    /// - Parameters:
    ///   - more: names of further headers.
    ///   - content: members of the content object; nil where there is no body.
    private static func response(_ text: String, headers more: [String] = [], content: String?) -> String {
        let headers = ([headers] + more.map { "\"\($0)\":{\"$ref\":\"#/components/headers/\($0)\"}" })
            .joined(separator: ",")
        let content = content.map { ",\"content\":{\($0)}" } ?? ""
        return "{\"description\":\"\(text)\",\"headers\":{\(headers)}\(content)}"
    }

    private static func json(_ schema: String) -> String {
        "\"application/json\":{\"schema\":{\"$ref\":\"#/components/schemas/\(schema)\"}}"
    }

    static func answer(_ schema: String) -> String { response("The answer", content: json(schema)) }

    static func answerOfModel(_ schema: String) -> String {
        response(
            "The results, in the order in which the images were sent",
            headers: ["X-Model", "X-Model-Version", "Content-Encoding", "Vary"], content: json(schema))
    }

    static let nothing = response("Yes, without a body", content: nil)

    static let text = response(
        "Yes", content: #""text/plain":{"schema":{"type":"string","examples":["ready\n"]}}"#)

    static let metrics = response(
        "The page, in the format that Accept prefers", headers: ["Content-Encoding", "Vary"],
        content: """
            "text/plain":{"schema":{"type":"string"}},"application/openmetrics-text":{"schema":{"type":"string"}}
            """)

    static let description = response(
        "An OpenAPI document", headers: ["ETag", "Cache-Control", "Content-Encoding", "Vary"],
        content: #""application/json":{"schema":{"type":"object","required":["openapi","info","paths"]}}"#)

    static let page = response(
        "The page", headers: ["Content-Security-Policy", "ETag", "Cache-Control", "Content-Encoding", "Vary"],
        content: #""text/html":{"schema":{"type":"string"}}"#)

    static let notModified = response(
        "It is still what If-None-Match names", headers: ["ETag", "Cache-Control"], content: nil)

    static let inferAnswer = response(
        "The outputs, as binary data behind the JSON where that was asked for",
        headers: ["X-Model", "X-Model-Version", "Content-Encoding", "Vary", "Inference-Header-Content-Length"],
        content: json("InferResponse") + #","application/octet-stream":{}"#)

    /// The bytes decide, whatever the type says, but for multipart.
    static let imageBody = """
        {"required":true,"description":"An image (JPEG, PNG or WebP), a form of images, or JSON. The type is looked at for \
        multipart/form-data alone: of all else the bytes decide, so that any other type or none will do. May be sent \
        with Content-Encoding gzip or deflate.","content":{"image/jpeg":{},"image/png":{},"image/webp":{},\
        "application/octet-stream":{},"multipart/form-data":{"schema":{"$ref":"#/components/schemas/ImageForm"},\
        "encoding":{"image":{"contentType":"image/jpeg, image/png, image/webp"}}},\
        "application/json":{"schema":{"$ref":"#/components/schemas/ImageList"}}}}
        """

    static let inferBody = """
        {"required":true,"description":"JSON; or, with Inference-Header-Content-Length, that many bytes of JSON and then the \
        binary data of the inputs, and with 0 a lone image. The type is not looked at. May be sent with \
        Content-Encoding gzip or deflate.","content":{"application/json":{"schema":{"$ref":\
        "#/components/schemas/InferRequest"}},"application/octet-stream":{}}}
        """

    static func repositoryBody(_ schema: String) -> String {
        "{\"required\":false,\"content\":{\(json(schema))}}"
    }
}
