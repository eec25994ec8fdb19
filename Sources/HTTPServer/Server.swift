import Dispatch
import Logging
import Parallelism
import Transport

/// An HTTP/1.1 server: listens, keeps connections, routes requests to handlers, and drains.
///
/// Source: RFC 9110, RFC 9112.
public final class Server: Sendable {
    private let context: ServerContext
    private let running = Lock<Running?>(nil)
    /// Set while finishing a drain.
    private let finishing = Lock<[ServerLoop]>([])

    private let listeners: [Listener]

    private struct Running {
        var acceptors: [Acceptor]
        var addresses: [SocketAddress]
        var loops: [ServerLoop]
    }

    /// A server that listens on the configuration's address alone, in plain HTTP, for everybody.
    ///
    /// - Parameter errorBody: makes the bodies of the errors that the server answers itself.
    public convenience init(
        configuration: ServerConfiguration = ServerConfiguration(), router: Router,
        clock: any Clock = MonotonicClock(), observer: ServerObserver = ServerObserver(),
        logger: Logger = Logger(label: "swiftlet.http"), errorBody: @escaping ErrorBody = problemBody
    ) {
        self.init(
            configuration: configuration,
            listeners: [
                Listener(
                    host: configuration.host, port: configuration.port, router: router,
                    maximumConnections: configuration.maximumConnections)
            ], clock: clock, observer: observer, logger: logger, errorBody: errorBody)
    }

    /// - Parameters:
    ///   - listeners: at least one; they take the place of the configuration's address and limit of connections.
    ///   - errorBody: makes the bodies of the errors that the server answers itself.
    public init(
        configuration: ServerConfiguration, listeners: [Listener],
        clock: any Clock = MonotonicClock(), observer: ServerObserver = ServerObserver(),
        logger: Logger = Logger(label: "swiftlet.http"), errorBody: @escaping ErrorBody = problemBody
    ) {
        precondition(configuration.eventLoopCount > 0, "a server needs an event loop")
        precondition(!listeners.isEmpty, "a server needs an address")
        self.listeners = listeners
        context = ServerContext(
            configuration: configuration, clock: clock, observer: observer, logger: logger,
            errorBody: errorBody)
    }

    /// Listens and serves.
    ///
    /// - Precondition: has not been started.
    /// - Returns: where the first listener listens; for port 0, with the port that was picked.
    /// - Throws: `ListenError` when it cannot listen somewhere; then it listens nowhere.
    @discardableResult
    public func start() throws(ListenError) -> SocketAddress { try start(calls: .kernel) }

    /// Where it listens, in the listeners' order, with the ports that were picked; empty unless it runs.
    public var addresses: [SocketAddress] { running.withLock { $0?.addresses ?? [] } }

    /// `start` on a kernel of the test's own.
    func start(calls: SystemCalls) throws(ListenError) -> SocketAddress {
        let loops = (0..<context.configuration.eventLoopCount).map { ServerLoop(index: $0, context: context) }
        var acceptors: [Acceptor] = []
        var addresses: [SocketAddress] = []
        for listener in listeners {
            do throws(SocketError) {
                let socket = try Socket.listening(
                    host: listener.host, port: listener.port, backlog: context.configuration.backlog, calls: calls)
                addresses.append(try socket.localAddress())
                acceptors.append(Acceptor(listener: listener, socket: socket, context: context, loops: loops))
            } catch { throw ListenError(host: listener.host, port: listener.port, reason: error) }
        }
        running.withLock { running in
            precondition(running == nil, "started twice")
            running = Running(acceptors: acceptors, addresses: addresses, loops: loops)
        }
        for loop in loops {
            loop.loop.execute { loop.start() }
        }
        for acceptor in acceptors { loops[0].loop.execute { acceptor.start() } }
        return addresses[0]
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
        let (context, loops, acceptors) = (context, running.loops, running.acceptors)
        finishing.withLock { $0 = loops }
        let stillListening = Lock(acceptors.count)
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
        // All are counted before a listener closes, and all listeners are closed before any loop finishes.
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
                    for acceptor in acceptors {
                        acceptor.finish {
                            let isLast = stillListening.withLock { count in
                                count -= 1
                                return count == 0
                            }
                            guard isLast else { return }
                            for loop in loops { loop.loop.execute { finishLoop(loop) } }
                        }
                    }
                }
            }
        }
    }

    /// Tells the records of all requests that a drain has not come to answer, and calls `completion` with their number on a
    /// thread of its own choice. Whoever has the time of a drain end by this ends the process.
    public func loseRequests(_ completion: @escaping @Sendable (_ lost: Int) -> Void) {
        let told = DispatchGroup()
        let lost = Lock(0)
        for loop in finishing.withLock({ $0 }) {
            told.enter()
            loop.loop.execute {
                let count = loop.loseRequests()
                lost.withLock { $0 += count }
                told.leave()
            }
        }
        told.notify(queue: .global()) { completion(lost.withLock { $0 }) }
    }

    /// Looks at all deadlines now, for tests with a clock of their own.
    func expire() {
        let loops = running.withLock { $0?.loops } ?? []
        for loop in loops { loop.loop.queue.sync { loop.expire() } }
    }
}
