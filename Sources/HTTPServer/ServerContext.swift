import HTTPTypes
import Logging
import Parallelism
import Synchronization

/// What all of a server's connections share.
final class ServerContext: Sendable {
    let configuration: ServerConfiguration
    let clock: any Clock
    let observer: ServerObserver
    let logger: Logger
    let errorBody: ErrorBody

    private let draining = Atomic(false)
    private let heldBytes = Atomic(0)
    private let served = Atomic(0)
    private let refused = Atomic(0)

    init(
        configuration: ServerConfiguration, clock: any Clock, observer: ServerObserver,
        logger: Logger, errorBody: @escaping ErrorBody
    ) {
        self.configuration = configuration
        self.clock = clock
        self.observer = observer
        self.logger = logger
        self.errorBody = errorBody
    }

    var isDraining: Bool { draining.load(ordering: .relaxed) }

    /// From here on answers close their connections, and are counted.
    func beginDrain() {
        guard !draining.exchange(true, ordering: .relaxed) else { return }
        served.store(0, ordering: .relaxed)
        refused.store(0, ordering: .relaxed)
    }

    func drainReport(inFlight: Int) -> DrainReport {
        DrainReport(
            inFlight: inFlight, served: served.load(ordering: .relaxed), refused: refused.load(ordering: .relaxed))
    }

    /// Counts body bytes that a connection holds, or no longer does.
    ///
    /// - Returns: how many all connections hold.
    func hold(_ bytes: Int) -> Int { heldBytes.wrappingAdd(bytes, ordering: .relaxed).newValue }

    func noteStart(_ label: String) { observer.requestStarted(label) }

    func noteAnswer(_ record: RequestRecord, wasStarted: Bool) {
        if !configuration.uncountedRoutes.contains(record.route) {
            if wasStarted, record.status != 503, record.status != 499 {
                served.wrappingAdd(1, ordering: .relaxed)
            } else {
                refused.wrappingAdd(1, ordering: .relaxed)
            }
        }
        observer.requestFinished(record, wasStarted)
    }

    func noteRejection(_ rejection: ServerRejection) { observer.rejected(rejection) }
}

/// What a drain has come to.
public struct DrainReport: Sendable, Equatable {
    /// Requests that had begun to arrive, or were being answered, when no more connections were taken.
    public var inFlight: Int
    /// Requests answered by their handlers since the drain began.
    public var served: Int
    /// Requests refused (503, malformed, too slow, no such route) or given up by their clients since the drain began.
    public var refused: Int
}
