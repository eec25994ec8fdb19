import HTTPServer
import Logging
import Parallelism

/// Warns of requests that take long, and not of so many that the log is of nothing else.
final class SlowRequests: Sendable {
    private struct State {
        var second = Int64.min
        var lines = 0
        /// Requests that have gone unsaid since the last line.
        var unsaid = 0
    }

    private let limitNanoseconds: Int64
    private let logger: Logger
    private let clock: any Clock
    private let state = Lock(State())

    static let linesPerSecond = 5

    /// - Returns: nil where nobody wants to know.
    init?(_ settings: Settings, logger: Logger, clock: any Clock) {
        guard settings.slowRequestMilliseconds > 0 else { return nil }
        limitNanoseconds = Int64(settings.slowRequestMilliseconds) * 1_000_000
        self.logger = logger
        self.clock = clock
    }

    func isSlow(_ record: RequestRecord) -> Bool { Int64(record.seconds * 1e9) >= limitNanoseconds }

    func add(_ request: WatchedRequest) {
        let second = clock.now().nanoseconds / 1_000_000_000
        let unsaid = state.withLock { state -> Int? in
            if state.second != second { (state.second, state.lines) = (second, 0) }
            guard state.lines < Self.linesPerSecond else {
                state.unsaid += 1
                return nil
            }
            state.lines += 1
            defer { state.unsaid = 0 }
            return state.unsaid
        }
        guard let unsaid else { return }
        logger.warning("slow request", metadata: metadata(of: request, unsaid: unsaid))
    }

    private func metadata(of request: WatchedRequest, unsaid: Int) -> Logger.Metadata {
        let record = request.record
        func milliseconds(_ seconds: Double) -> Logger.MetadataValue {
            .stringConvertible((seconds * 1e6).rounded() / 1000)
        }
        var metadata: Logger.Metadata = [
            "request_id": "\(record.requestID)", "method": "\(record.method)", "route": "\(record.route)",
            "status": .stringConvertible(record.status), "duration_ms": milliseconds(record.seconds),
            "bytes_in": .stringConvertible(record.bodyBytes),
        ]
        if let reason = record.reason { metadata["reason"] = "\(reason)" }
        for stage in record.stages { metadata["\(stage.name)_ms"] = milliseconds(stage.seconds) }
        metadata["client"] = "\(request.client)"
        if let trace = request.trace { metadata["trace_id"] = "\(trace.traceID)" }
        if let inference = request.inference {
            metadata["model"] = "\(inference.model)"
            metadata["version"] = "\(inference.version)"
            metadata["images"] = .stringConvertible(inference.imageCount)
            metadata["batch_size"] = .stringConvertible(inference.batchSize)
        }
        if unsaid > 0 { metadata["slow_requests_not_logged"] = .stringConvertible(unsaid) }
        return metadata
    }
}
