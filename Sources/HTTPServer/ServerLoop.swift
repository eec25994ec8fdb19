import Dispatch
import HTTP
import Parallelism
import Transport

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The connections of one event loop, and what they take turns with: a receive buffer, the encoder, the timer.
final class ServerLoop: @unchecked Sendable {  // belongs to `loop`'s queue
    static let receiveBytes = 64 << 10

    let loop: EventLoop
    let context: ServerContext
    let receiveBuffer: UnsafeMutableRawBufferPointer
    var encoder = ResponseEncoder()
    var requestIDs: RequestIDGenerator
    private var connections: [Connection] = []
    private var timer: (any DispatchSourceTimer)?
    /// Called when the last connection has closed; set while finishing a drain.
    private var onEmpty: (@Sendable () -> Void)?
    private var isSettling = false
    /// Requests have been given up: a drain whose last connections close by that has not come to its end.
    private var hasLost = false

    init(index: Int, context: ServerContext) {
        loop = EventLoop(label: "swiftlet.loop.\(index)")
        self.context = context
        receiveBuffer = .allocate(byteCount: Self.receiveBytes, alignment: 64)
        requestIDs = RequestIDGenerator(seed: .random(in: 0 ... .max))
    }

    deinit { receiveBuffer.deallocate() }

    /// Begins to look at deadlines.
    func start() {
        let milliseconds = Int(context.configuration.timeouts.resolutionNanoseconds / 1_000_000)
        timer = loop.everyMilliseconds(max(1, milliseconds)) { [self] in expire() }
    }

    func add(_ connection: Connection) {
        loop.preconditionOnLoop()
        connection.slot = connections.count
        connections.append(connection)
        context.observer.connectionOpened()
        connection.start()
    }

    func remove(_ connection: Connection) {
        let last = connections.removeLast()
        if last !== connection {
            connections[connection.slot] = last
            last.slot = connection.slot
        }
        context.observer.connectionClosed()
        connection.acceptor.connectionClosed()
        settle()
    }

    /// Ends what has passed its deadline.
    func expire() {
        loop.preconditionOnLoop()
        let now = context.clock.now()
        // From the end: a connection that closes leaves its slot to the last one, which has been looked at.
        var index = connections.count - 1
        while index >= 0 {
            if index < connections.count { connections[index].expire(now: now) }
            index -= 1
        }
    }

    func unixSeconds() -> Int { time(nil) }

    /// Closes those connections that have been idle longest, and for a second at the least.
    ///
    /// - Parameter acceptor: whose connections; nil for all.
    func closeLongestIdle(upTo count: Int, of acceptor: Acceptor?) {
        loop.preconditionOnLoop()
        let latest = context.clock.now().advanced(byNanoseconds: -Self.leastIdleNanoseconds)
        let idle = connections.compactMap { connection -> (since: Instant, connection: Connection)? in
            guard acceptor == nil || connection.acceptor === acceptor else { return nil }
            return connection.state.idleSince.flatMap { $0 <= latest ? (since: $0, connection: connection) : nil }
        }
        for (_, connection) in idle.sorted(by: { $0.since < $1.since }).prefix(count) { connection.closeIfIdle() }
    }

    private static let leastIdleNanoseconds: Int64 = 1_000_000_000

    // MARK: Drain

    /// Connections with a request; a handshake is none yet.
    var busyCount: Int { connections.count { !$0.state.isExpendable && $0.state.phase != .handshaking } }

    /// From here on connections close when none of the loop's is busy any more; then `onEmpty` is called.
    func finish(_ onEmpty: @escaping @Sendable () -> Void) {
        loop.preconditionOnLoop()
        self.onEmpty = onEmpty
        settle()
    }

    /// Tells the records of all requests that have no answer yet, as the process is about to end, and gives their number.
    func loseRequests() -> Int {
        hasLost = true
        // Those that are closed leave the list.
        let all = connections
        return all.reduce(0) { $0 + $1.loseRequests() }
    }

    /// While finishing: closes the idle connections once they are all that is left.
    func settle() {
        guard onEmpty != nil, !isSettling, !hasLost else { return }
        isSettling = true
        defer { isSettling = false }
        var index = connections.count - 1
        while index >= 0, connections.allSatisfy({ $0.state.isExpendable }) {
            if index < connections.count { connections[index].closeIfIdle() }
            index -= 1
        }
        if connections.isEmpty {
            timer?.cancel()
            timer = nil
            onEmpty.take()?()
        }
    }
}
