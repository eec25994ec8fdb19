import HTTPServer
import Parallelism
import Telemetry

/// A request that has been answered, as log lines and spans tell of it.
struct WatchedRequest: Sendable {
    var record: RequestRecord
    /// Nil where the client has named no trace and none has begun here.
    var trace: TraceContext?
    var started: WallTime
    /// What the record's instants are in wall time.
    var clock: WallClock

    var nanoseconds: Int64 { Int64(record.seconds * 1e9) }

    /// Nil for all but inferences.
    var inference: InferenceNote? { record.note as? InferenceNote }

    /// The path, cut where it is longer than anything that means something.
    var shortPath: String {
        record.path.utf8.count <= Self.pathBytes ? record.path : String(record.path.prefix(Self.pathBytes)) + "…"
    }

    private static let pathBytes = 1024
}
