import HTTP
import HTTPServer
import Telemetry

/// Requests as OpenTelemetry's collectors take them: a server span each, and in it one for each step.
///
/// Source: OpenTelemetry Protocol 1.7, `ExportTraceServiceRequest` in JSON; semantic conventions for HTTP spans 1.36.
struct OTLPTraces: Sendable {
    let build: BuildInformation

    /// Those of RFC 9110 and PATCH; others are `_OTHER`, lest clients make up names.
    private static let methods: Set<String> = [
        "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "TRACE", "PATCH",
    ]

    /// How many spans `requests` become.
    static func spanCount(of requests: some Sequence<WatchedRequest>) -> Int {
        requests.reduce(0) { $0 + 1 + steps(of: $1).count }
    }

    /// - Precondition: every request has a trace.
    func json(_ requests: some Sequence<WatchedRequest>) -> [UInt8] {
        var json = JSONWriter(capacity: 64 << 10)
        json.object {
            $0.array("resourceSpans") {
                $0.object {
                    $0.object("resource") {
                        $0.array("attributes") {
                            $0.attribute("service.name", "swiftlet")
                            $0.attribute("service.version", build.version)
                            $0.attribute("vcs.ref.head.revision", build.revision)
                        }
                    }
                    $0.array("scopeSpans") {
                        $0.object {
                            $0.object("scope") {
                                $0.value("name", "swiftlet")
                                $0.value("version", build.version)
                            }
                            $0.array("spans") { list in for request in requests { Self.write(request, to: &list) } }
                        }
                    }
                }
            }
        }
        return json.bytes
    }

    private static func write(_ request: WatchedRequest, to list: inout JSONWriter) {
        guard let trace = request.trace else { preconditionFailure("a span without a trace") }
        let record = request.record
        list.object {
            $0.identity(trace, trace.spanID, parent: trace.parent)
            // Bits 8 and 9: whether it is known that the parent is another process's, and that it is.
            $0.value("flags", (trace.isSampled ? 1 : 0) | (trace.parent == nil ? 0x100 : 0x300))
            let hasRoute = record.route.hasPrefix("/")
            let method = methods.contains(record.method.rawValue) ? record.method.rawValue : nil
            let name = method ?? "HTTP"
            $0.value("name", hasRoute ? "\(name) \(record.route)" : name)
            $0.value("kind", 2)
            $0.times(request.started.nanoseconds, request.nanoseconds)
            $0.array("attributes") {
                $0.attribute("http.request.method", method ?? "_OTHER")
                if hasRoute { $0.attribute("http.route", record.route) }
                $0.attribute("url.path", record.path)
                $0.attribute("http.response.status_code", record.status)
                if record.status >= 500, let reason = record.reason { $0.attribute("error.type", reason) }
                $0.attribute("http.request.body.size", record.bodyBytes)
                $0.attribute("http.response.body.size", record.answerBytes)
                $0.attribute("client.address", "\(request.client)")
                $0.attribute("swiftlet.request_id", record.requestID)
                if let inference = request.inference {
                    $0.attribute("swiftlet.model", inference.model)
                    $0.attribute("swiftlet.model_version", inference.version)
                    $0.attribute("swiftlet.images", inference.imageCount)
                    $0.attribute("swiftlet.batch_size", inference.batchSize)
                }
            }
            // An error of the client's is none of the server's span.
            $0.object("status") { if record.status >= 500 { $0.value("code", 2) } }
        }
        for step in steps(of: request) {
            list.object {
                $0.identity(trace, .random(), parent: trace.spanID)
                $0.value("flags", (trace.isSampled ? 1 : 0) | 0x100)
                $0.value("name", step.name.rawValue)
                $0.value("kind", 1)
                $0.times(request.clock.time(of: step.start).nanoseconds, step.nanoseconds)
            }
        }
    }

    /// Reading, which the server times, and what the handler has noted.
    private static func steps(of request: WatchedRequest) -> [InferenceNote.Step] {
        guard let inference = request.inference else { return [] }
        let read = request.record.stages.first { $0.name == "read" }.map { Int64($0.seconds * 1e9) } ?? 0
        let reading = InferenceNote.Step(name: .read, start: request.record.received, nanoseconds: read)
        return [reading] + inference.steps
    }
}

extension JSONWriter {
    fileprivate mutating func identity(_ trace: TraceContext, _ span: SpanID, parent: SpanID?) {
        value("traceId", trace.traceID.description)
        value("spanId", span.description)
        if let parent { value("parentSpanId", parent.description) }
    }

    /// 64-bit numbers are text in the protocol's JSON.
    fileprivate mutating func times(_ start: Int64, _ nanoseconds: Int64) {
        value("startTimeUnixNano", String(start))
        value("endTimeUnixNano", String(start + max(0, nanoseconds)))
    }

    fileprivate mutating func attribute(_ key: StaticString, _ text: String) {
        object {
            $0.constant("key", key)
            $0.object("value") { $0.value("stringValue", text) }
        }
    }

    fileprivate mutating func attribute(_ key: StaticString, _ number: Int) {
        object {
            $0.constant("key", key)
            $0.object("value") { $0.value("intValue", String(number)) }
        }
    }
}
