import Logging
import Parallelism
import Transport

/// An HTTP/1.1 server: listens, keeps connections, routes requests to handlers, and drains.
///
/// Source: RFC 9110, RFC 9112.
public final class Server: Sendable {
    private let context: ServerContext
    private let running = Lock<Running?>(nil)

    private struct Running {
        var acceptor: Acceptor
        var loops: [ServerLoop]
    }

    /// - Parameter errorBody: makes the bodies of the errors that the server answers itself.
    public init(
        configuration: ServerConfiguration = ServerConfiguration(), router: Router,
        clock: any Clock = MonotonicClock(), observer: ServerObserver = ServerObserver(),
        logger: Logger = Logger(label: "swiftlet.http"), errorBody: @escaping ErrorBody = problemBody
    ) {
        precondition(configuration.eventLoopCount > 0, "a server needs an event loop")
        context = ServerContext(
            configuration: configuration, router: router, clock: clock, observer: observer, logger: logger,
            errorBody: errorBody)
    }

    /// Listens and serves.
    ///
    /// - Precondition: has not been started.
    /// - Returns: where it listens; for port 0, with the port that was picked.
    /// - Throws: `SocketError` when it cannot listen there.
    public func start() throws(SocketError) -> SocketAddress { try start(calls: .kernel) }

    /// `start` on a kernel of the test's own.
    func start(calls: SystemCalls) throws(SocketError) -> SocketAddress {
        let configuration = context.configuration
        let listener = try Socket.listening(
            host: configuration.host, port: configuration.port, backlog: configuration.backlog, calls: calls)
        let address = try listener.localAddress()
        let loops = (0..<configuration.eventLoopCount).map { ServerLoop(index: $0, context: context) }
        let acceptor = Acceptor(listener: listener, context: context, loops: loops)
        running.withLock { running in
            precondition(running == nil, "started twice")
            running = Running(acceptor: acceptor, loops: loops)
        }
        for loop in loops {
            loop.loop.execute { loop.start { acceptor.connectionClosed() } }
        }
        loops[0].loop.execute { acceptor.start() }
        return address
    }

    /// Begins to drain: every answer closes its connection from here on; listening and serving go on.
    public func beginDrain() { context.beginDrain() }

    /// Takes the connections that wait, stops listening, answers every request whose first byte has been read, closes
    /// the idle connections last, and calls `completion` on a thread of its own choice. Begins the drain if need be.
    ///
    /// - Precondition: started, and not called before.
    public func finishDrain(_ completion: @escaping @Sendable (DrainReport) -> Void) {
        beginDrain()
        guard let running = running.withLock({ $0.take() }) else { preconditionFailure("not running") }
        let (context, loops, acceptor) = (context, running.loops, running.acceptor)
        let tally = Lock((counted: 0, inFlight: 0, finished: 0))
        let finishLoop: @Sendable (ServerLoop) -> Void = { loop in
            loop.finish {
                let inFlight = tally.withLock { tally in
                    tally.finished += 1
                    return tally.finished == loops.count ? tally.inFlight : nil
                }
                if let inFlight { completion(context.drainReport(inFlight: inFlight)) }
            }
        }
        // All are counted before the listener closes, and the listener is closed before any loop finishes.
        for loop in loops {
            loop.loop.execute {
                let busyCount = loop.busyCount
                let isLast = tally.withLock { tally in
                    tally.counted += 1
                    tally.inFlight += busyCount
                    return tally.counted == loops.count
                }
                guard isLast else { return }
                loops[0].loop.execute {
                    acceptor.finish { for loop in loops { loop.loop.execute { finishLoop(loop) } } }
                }
            }
        }
    }

    /// Looks at all deadlines now, for tests with a clock of their own.
    func expire() {
        let loops = running.withLock { $0?.loops } ?? []
        for loop in loops { loop.loop.queue.sync { loop.expire() } }
    }
}
