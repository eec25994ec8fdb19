import DequeModule
import Dispatch
import Logging
import Parallelism
import Telemetry

/// Sends requests to a collector as spans, from a thread of its own: whoever adds one never waits.
///
/// At most `capacity` requests wait; what comes beyond is dropped and counted, as is what the collector does not take in
/// three attempts.
///
/// Concurrency: every method may be called from any thread.
final class SpanExporter: Sendable {
    private struct State {
        var waiting = Deque<WatchedRequest>()
        var isScheduled = false
        var isStopping = false
        /// Whether the last body was not taken.
        var isFailing = false
    }

    static let capacity = 2048
    /// Requests a body: some hundred kilobytes.
    static let requestsPerBody = 256
    static let attempts = 3

    private let traces: OTLPTraces
    private let post: @Sendable ([UInt8]) -> CollectorClient.Outcome
    private let place: String
    private let delayNanoseconds: Int
    private let metrics: TraceMetrics
    private let logger: Logger
    private let state = Lock(State())
    private let queue = DispatchQueue(label: "swiftlet.traces", qos: .utility)
    /// Signalled at the end, so that nobody sleeps through it.
    private let stopping = DispatchSemaphore(value: 0)

    /// - Parameters:
    ///   - delayNanoseconds: how long a request waits for others to be sent with it, and half of the first pause
    ///     between attempts.
    ///   - post: sends a body, however long that takes; called by one thread at a time.
    init(
        build: BuildInformation, place: String, metrics: TraceMetrics, logger: Logger,
        delayNanoseconds: Int = 1_000_000_000, post: @escaping @Sendable ([UInt8]) -> CollectorClient.Outcome
    ) {
        traces = OTLPTraces(build: build)
        self.place = place
        self.metrics = metrics
        self.logger = logger
        self.delayNanoseconds = delayNanoseconds
        self.post = post
    }

    func add(_ request: WatchedRequest) {
        enum Step { case none, schedule, exportNow, drop }
        let step = state.withLock { state -> Step in
            guard state.waiting.count < Self.capacity, !state.isStopping else { return .drop }
            state.waiting.append(request)
            if state.waiting.count == Self.requestsPerBody { return .exportNow }
            guard !state.isScheduled else { return .none }
            state.isScheduled = true
            return .schedule
        }
        switch step {
        case .none: break
        case .schedule:
            queue.asyncAfter(deadline: .now() + .nanoseconds(delayNanoseconds)) { [self] in export() }
        case .exportNow: queue.async { [self] in export() }
        case .drop: metrics.dropped(.queueFull, OTLPTraces.spanCount(of: CollectionOfOne(request)))
        }
    }

    /// Sends what waits, and takes no more; gives up after so long.
    func stop(seconds: Double) {
        state.withLock { $0.isStopping = true }
        stopping.signal()
        let done = DispatchSemaphore(value: 0)
        queue.async { [self] in
            export()
            done.signal()
        }
        _ = done.wait(timeout: .now() + seconds)
    }

    private func export() {
        while true {
            let requests = state.withLock { state in
                let requests = Array(state.waiting.prefix(Self.requestsPerBody))
                state.waiting.removeFirst(requests.count)
                if requests.isEmpty { state.isScheduled = false }
                return requests
            }
            if requests.isEmpty { return }
            send(requests)
        }
    }

    private func send(_ requests: [WatchedRequest]) {
        let body = traces.json(requests)
        let count = OTLPTraces.spanCount(of: requests)
        var attempt = 1
        while true {
            switch post(body) {
            case .accepted(let rejected):
                metrics.exported(count - min(count, rejected))
                metrics.dropped(.rejected, min(count, rejected))
                return note(failure: nil)
            case .refused(let reason):
                metrics.exportFailed()
                metrics.dropped(.failed, count)
                return note(failure: reason)
            case .postponed(let reason):
                metrics.exportFailed()
                guard attempt < Self.attempts, !state.withLock({ $0.isStopping }) else {
                    metrics.dropped(.failed, count)
                    return note(failure: reason)
                }
                // Whoever stops wakes this up, once; then there is a last attempt.
                _ = stopping.wait(timeout: .now() + .nanoseconds(delayNanoseconds << attempt))
                attempt += 1
            }
        }
    }

    /// Logs the first failure of a row, and its end.
    private func note(failure reason: String?) {
        let changes = state.withLock { state in
            defer { state.isFailing = reason != nil }
            return state.isFailing != (reason != nil)
        }
        guard changes else { return }
        if let reason {
            logger.warning(
                "the collector does not take spans", metadata: ["collector": "\(place)", "reason": "\(reason)"])
        } else {
            logger.notice("the collector takes spans again", metadata: ["collector": "\(place)"])
        }
    }
}
