import HTTPServer
import Logging
import Parallelism
import Telemetry

/// Everybody who wants to know of requests: metrics, access log, slow-request log and traces.
///
/// Concurrency: every method may be called from any thread; none waits.
final class RequestWatch: Sendable {
    private let metrics: ServiceMetrics
    private let accessLog: AccessLog?
    private let slowRequests: SlowRequests?
    private let spans: SpanExporter?
    private let traceOneIn: Int
    /// Health checks and scrapes, of which nobody wants traces unless their callers do.
    private let untracedRoutes: Set<String>
    private let clock: any Clock
    private let logger: Logger

    /// - Throws: `LogFileError` where the access log cannot be written.
    init(
        _ settings: Settings, metrics: ServiceMetrics, untracedRoutes: Set<String>, logger: Logger, clock: any Clock
    ) throws(LogFileError) {
        self.metrics = metrics
        self.untracedRoutes = untracedRoutes
        self.clock = clock
        self.logger = logger
        accessLog = try AccessLog(settings, lostLines: metrics.lostAccessLines)
        slowRequests = SlowRequests(settings, logger: logger, clock: clock)
        traceOneIn = settings.traceOneIn
        spans = CollectorEndpoint(settings.otlpEndpoint).map { endpoint in
            let client = CollectorClient(endpoint: endpoint)
            return SpanExporter(
                build: metrics.build, place: "\(endpoint)", metrics: metrics.traces, logger: logger
            ) { client.post($0) }
        }
    }

    /// A request has been answered, or its client has left.
    func finished(_ record: RequestRecord, wasStarted: Bool) {
        let isLogged = accessLog?.wants(record) ?? false
        let isSlow = slowRequests?.isSlow(record) ?? false
        let trace = trace(of: record, isLogged: isLogged)
        let isTraced = spans != nil && trace?.isSampled == true
        // Its trace leads somewhere: to the client's spans or to ours, or to a line of the log.
        let exemplar = trace.flatMap { $0.isSampled || isLogged ? $0 : nil }
        metrics.requestFinished(record, wasStarted: wasStarted, trace: exemplar)
        guard isLogged || isSlow || isTraced else { return }
        let wall = WallClock(clock)
        let request = WatchedRequest(
            record: record, trace: trace, started: wall.time(of: record.received), clock: wall)
        if isLogged { accessLog?.add(request) }
        if isSlow { slowRequests?.add(request) }
        if isTraced { spans?.add(request) }
    }

    /// The client's trace, or a new one where somebody will tell of it.
    private func trace(of record: RequestRecord, isLogged: Bool) -> TraceContext? {
        if let parent = record.traceParent.flatMap({ TraceParent($0) }) { return TraceContext(in: parent) }
        guard spans != nil || isLogged, !untracedRoutes.contains(record.route) else { return nil }
        var trace = TraceContext.beginning(oneIn: traceOneIn)
        // Without a collector it is for finding a line of the log by an exemplar.
        if spans == nil { trace.isSampled = false }
        return trace
    }

    /// Goes on in new files where the old ones have been renamed.
    func reopenFiles() { accessLog?.reopen(logger) }

    /// Writes and sends what waits, for some seconds at the most.
    func finish() {
        spans?.stop(seconds: 2)
        accessLog?.flush(seconds: 1)
    }
}
