import HTTP

extension OpenAPIDocument {
    static let introduction = #"""
        "Classifies images (JPEG, PNG, WebP) with EfficientNet on CPUs. /v1 is its own interface, /v2 the Open Inference \#
        Protocol. Every GET answers HEAD, and every path OPTIONS; 405 to another method says in Allow which there are. \#
        Parameters of /v1/classify and /v1/embed that do not exist are refused. Below /v2 errors are {\"error\": …}, but \#
        for requests whose head cannot be read."
        """#

    static let tags = """
        [{"name":"images"},{"name":"models"},{"name":"v2","description":"The Open Inference Protocol V2, as KServe and \
        Triton speak it"},{"name":"administration","description":"The protocol's model repository extension"},\
        {"name":"health"}]
        """

    static let keyScheme = """
        {"key":{"type":"http","scheme":"bearer","description":"An API key with the right that the route needs. Where a \
        route may be used without, that is from the server's own machine."}}
        """

    static let headers = #"""
        {"X-Request-Id":{"description":"The request's, if it has 1 to 128 visible ASCII characters, or one that is made",\#
        "required":true,"schema":{"type":"string","minLength":1,"maxLength":128,"pattern":"^[!-~]+$"}},\#
        "Server-Timing":{"description":"The stages of the answer with their milliseconds","required":true,\#
        "schema":{"type":"string","pattern":"^read;dur=[0-9]+\\.[0-9]{3}(, [a-z]+;dur=[0-9]+\\.[0-9]{3})*$"}},\#
        "X-Model":{"description":"The model that had a part in the answer","schema":{"type":"string"}},\#
        "X-Model-Version":{"description":"Its version","schema":{"type":"integer","minimum":1}},\#
        "Retry-After":{"description":"Seconds after which a repetition makes sense","required":true,\#
        "schema":{"type":"integer","minimum":1}},\#
        "Retry-After-Ms":{"description":"The same in milliseconds, where it is known that exactly",\#
        "schema":{"type":"integer","minimum":1}},\#
        "WWW-Authenticate":{"required":true,"schema":{"type":"string","pattern":"^Bearer "}},\#
        "Accept-Encoding":{"description":"The content codings that are read, where the request's is not",\#
        "schema":{"type":"string"}},\#
        "Content-Encoding":{"description":"Where Accept-Encoding asks for it and the body is long",\#
        "schema":{"enum":["gzip","deflate"]}},\#
        "Vary":{"schema":{"type":"string"}},\#
        "ETag":{"required":true,"schema":{"type":"string","pattern":"^W/\"[0-9a-f]+\"$"}},\#
        "Content-Security-Policy":{"description":"What the page may do: nothing but ask this server","required":true,\#
        "schema":{"type":"string","pattern":"^default-src 'none'; "}},\#
        "Cache-Control":{"required":true,"schema":{"const":"no-cache"}},\#
        "Inference-Header-Content-Length":{"description":"Bytes of JSON before the binary data; absent where all is JSON",\#
        "schema":{"type":"integer","minimum":1}}}
        """#

    // MARK: - Parameters

    func writeParameters(_ models: Models, to json: inout JSONWriter) {
        for parameter in OpenAPIOperation.Parameter.allCases {
            json.object(key: parameter.rawValue) { write(parameter, models, to: &$0) }
        }
    }

    private func write(_ parameter: OpenAPIOperation.Parameter, _ models: Models, to json: inout JSONWriter) {
        let (place, name, text) = parameter.presentation
        json.value("name", name)
        json.value("in", place)
        if place == "path" { json.value("required", true) }
        json.value("description", text)
        json.object("schema") {
            switch parameter {
            case .topK:
                $0.value("type", "integer")
                $0.value("minimum", 1)
                if let classCount = models.classCount { $0.value("maximum", classCount) }
            case .explain:
                $0.array("enum") {
                    $0.value(nil, "cam")
                    for count in 1...ImageParameters.maximumMaps { $0.value(nil, "cam:\(count)") }
                }
            case .version, .pathVersion, .deadline:
                $0.value("type", "integer")
                $0.value("minimum", 1)
                $0.value("maximum", ImageParameters.largestNumber)
            case .priority:
                $0.value("type", "integer")
                $0.value("minimum", 0)
                $0.value("maximum", ImageParameters.largestNumber)
            case .headerLength:
                $0.value("type", "integer")
                $0.value("minimum", 0)
                $0.value("maximum", limits.bodyBytes)
            case .model, .pathName, .pathModel:
                $0.value("type", "string")
                if !models.names.isEmpty {
                    $0.array("examples") { list in for name in models.names { list.value(nil, name) } }
                }
            case .knownTag: $0.value("type", "string")
            }
        }
    }

    // MARK: - Errors

    /// `Problem-404`, and below `/v2` `Error-404`.
    static func errorName(_ code: Int, below path: String) -> String {
        "\(isProtocolPath(path) ? "Error" : "Problem")-\(code)"
    }

    func writeErrors(to json: inout JSONWriter) {
        var written: Set<String> = []
        for route in routes {
            for code in errorCodes(of: route) {
                let name = Self.errorName(code, below: route.pattern)
                guard written.insert(name).inserted else { continue }
                json.object(key: name) { writeError(code, below: route.pattern, to: &$0) }
            }
        }
    }

    private func writeError(_ code: Int, below path: String, to json: inout JSONWriter) {
        json.value("description", describe(code))
        json.object("headers") {
            for header in ["X-Request-Id", "Server-Timing"] + Self.headers(of: code) {
                $0.object(key: header) { $0.reference(to: "headers", header) }
            }
        }
        json.object("content") {
            if isProtocolPath(path) {
                $0.object("application/json") { $0.object("schema") { $0.reference(to: "schemas", "Error") } }
                // Where the path has not been read.
                guard Self.codesOfHeads.contains(code) else { return }
            }
            $0.object("application/problem+json") { $0.object("schema") { $0.reference(to: "schemas", "Problem") } }
        }
    }

    private static func headers(of code: Int) -> [String] {
        switch code {
        case 401, 403: code == 401 ? ["WWW-Authenticate"] : []
        case 415: ["X-Model", "X-Model-Version", "Accept-Encoding"]
        case 503: ["X-Model", "X-Model-Version", "Retry-After", "Retry-After-Ms"]
        case 400, 413, 422, 500, 504: ["X-Model", "X-Model-Version"]
        default: []
        }
    }

    /// What a request may be refused with whose head cannot be read to its end.
    private static let codesOfHeads = [400, 408, 414, 431, 501, 505]

    private func describe(_ code: Int) -> String {
        switch code {
        case 400: "Malformed: the request, its body, a parameter, a tensor or the content coding; or no body"
        case 401: "A key is needed, or not known"
        case 403: "The key lacks the right, or the route is for the server's own machine"
        case 404: "No such model or version, or one that is not loaded"
        case 408: "The head or the body came too slowly"
        case 413: "More than \(limits.bodyBytes) bytes, \(limits.images) images, or pixels or memory than are allowed"
        case 414: "The target is too long"
        case 415: "Not JPEG, PNG or WebP, or a content coding that is not read"
        case 417: "Another Expect than 100-continue"
        case 422: "A damaged image, or a model that cannot be loaded"
        case 431: "The header section is too large"
        case 500: "The server's fault"
        case 501: "A transfer coding that is not implemented"
        case 503: "The queue is full, the deadline cannot be met, or the server is loading or draining"
        case 504: "The deadline passed in the queue"
        case 505: "Another major version of HTTP"
        default: preconditionFailure("no words for \(code)")
        }
    }
}

extension OpenAPIOperation.Parameter {
    fileprivate var presentation: (place: String, name: String, text: String) {
        switch self {
        case .topK: ("query", "top_k", "How many classes, up to as many as the model has")
        case .explain:
            (
                "query", "explain",
                "cam: where the likeliest class was seen; cam:N: the same of the N likeliest of the answer"
            )
        case .model: ("query", "model", "The name of a loaded model; the default model without")
        case .version: ("query", "version", "Its version; the highest that is loaded without")
        case .deadline:
            ("header", "X-Request-Deadline-Ms", "Milliseconds from the request's first byte to the answer")
        case .priority:
            (
                "header", "X-Request-Priority",
                "From 1, the highest, to 10; 0 and 5 are the usual one, and above 10 counts as 10"
            )
        case .headerLength:
            ("header", "Inference-Header-Content-Length", "Bytes of JSON before the binary data of the inputs")
        case .knownTag: ("header", "If-None-Match", "The ETag of what is known already")
        case .pathName: ("path", "name", "The name of a model")
        case .pathModel: ("path", "model", "The name of a model")
        case .pathVersion: ("path", "version", "A version of it")
        }
    }
}
