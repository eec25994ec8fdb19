import HTTPServer
import HTTPTypes
import Parallelism
import Telemetry

/// A request that has been answered, as log lines and spans tell of it: what a client may make long is cut, as many of
/// these wait.
struct WatchedRequest: Sendable {
    /// Without `traceParent` and `origin`, of which `trace` and `client` have what there is to know.
    let record: RequestRecord
    /// As far as trusted proxies tell.
    let client: Client
    /// Nil where the client has named no trace and none has begun here.
    var trace: TraceContext?
    var started: WallTime
    /// What the record's instants are in wall time.
    var clock: WallClock

    var nanoseconds: Int64 { Int64(record.seconds * 1e9) }

    /// Nil for all but inferences.
    var inference: InferenceNote? { record.note as? InferenceNote }

    init(record: RequestRecord, trace: TraceContext?, started: WallTime, clock: WallClock) {
        var record = record
        client = record.origin.client
        record.origin = RequestOrigin()
        record.traceParent = nil
        if record.path.utf8.count > Self.pathBytes { record.path = Self.start(of: record.path, Self.pathBytes) + "…" }
        let method = record.method.rawValue
        if method.utf8.count > Self.methodBytes {
            record.method = HTTPRequest.Method(Self.start(of: method, Self.methodBytes)) ?? record.method
        }
        self.record = record
        self.trace = trace
        self.started = started
        self.clock = clock
    }

    private static func start(of text: String, _ byteCount: Int) -> String {
        String(decoding: text.utf8.prefix(byteCount), as: UTF8.self)
    }

    static let pathBytes = 1024
    static let methodBytes = 32
}
