import Parallelism
import Synchronization
import Transport

/// Takes connections off the listening socket and hands them to the loops in turn.
final class Acceptor: @unchecked Sendable {  // belongs to the first loop's queue, but for `openCount`
    /// How long to wait where descriptors have run out: a pause that no client notices, and no busy loop either.
    static let backoffMilliseconds = 10
    private static let acceptsPerEvent = 64
    /// At the limit of connections: how often idle ones are looked for that can make room.
    private static let limitRetryMilliseconds = 100

    let listener: Listener
    private var socket: Socket?
    private let context: ServerContext
    private let loops: [ServerLoop]
    private let openCount = Atomic(0)
    private var readiness: Readiness?
    private var next = 0
    /// Whether the last try to accept failed: only the change is worth a line.
    private var isFailing = false
    private var isPausedByLimit = false
    private var isBackingOff = false

    init(listener: Listener, socket: consuming Socket, context: ServerContext, loops: [ServerLoop]) {
        self.listener = listener
        self.socket = consume socket
        self.context = context
        self.loops = loops
    }

    private var loop: EventLoop { loops[0].loop }

    func start() {
        guard let descriptor = socket?.descriptor else { preconditionFailure("started after its end") }
        let readiness = Readiness(.readable, of: descriptor, on: loop) { [self] in accept() }
        self.readiness = readiness
        readiness.setArmed(true)
    }

    /// A connection has closed; called on any loop.
    func connectionClosed() {
        let before = openCount.wrappingSubtract(1, ordering: .relaxed).oldValue
        if before == listener.maximumConnections {
            loop.execute { [self] in
                isPausedByLimit = false
                rearm()
            }
        }
    }

    /// Takes every connection that waits, whatever the limit, and stops listening.
    func finish(_ completion: @escaping @Sendable () -> Void) {
        loop.preconditionOnLoop()
        guard let readiness else { preconditionFailure("not started") }
        self.readiness = nil
        readiness.cancel { [self] in
            // The last look right before the end: a connection that comes in between is reset.
            while acceptOne() {}
            socket = nil
            completion()
        }
    }

    private func rearm() { readiness?.setArmed(!isPausedByLimit && !isBackingOff) }

    private func accept() {
        for _ in 0..<Self.acceptsPerEvent {
            if openCount.load(ordering: .relaxed) >= listener.maximumConnections {
                if !isPausedByLimit { waitForRoom() }
                break
            }
            guard acceptOne() else { break }
        }
        rearm()
    }

    /// - Returns: whether there may be more.
    private func acceptOne() -> Bool {
        do throws(SocketError) {
            guard let accepted = try socket?.accept() else { return false }
            if isFailing { context.logger.info("accepting connections again") }
            isFailing = false
            let peer = accepted.peer
            let stream: ByteStream
            if let credentials = listener.tls {
                guard let secure = TLSStream(socket: accepted.takeSocket(), context: credentials.current) else {
                    context.logger.error("cannot begin TLS: out of memory")
                    return true
                }
                stream = .secure(secure)
            } else {
                stream = .plain(accepted.takeSocket())
            }
            let target = loops[next % loops.count]
            next &+= 1
            openCount.wrappingAdd(1, ordering: .relaxed)
            let connection = Connection(stream, peer: peer, acceptor: self, owner: target)
            target.loop.execute { target.add(connection) }
            return true
        } catch {
            if !isFailing { context.logger.warning("cannot accept connections: \(error)") }
            isFailing = true
            // One connection that cannot be prepared is dropped; the rest goes on.
            guard error.isExhaustion || error.operation == .accept else { return true }
            backOff()
            return false
        }
    }

    private func waitForRoom() {
        isPausedByLimit = true
        makeRoom(among: self)
        loop.executeAfter(milliseconds: Self.limitRetryMilliseconds) { [self] in
            if isPausedByLimit, readiness != nil { waitForRoom() }
        }
    }

    /// Connections that say nothing give way to those that wait: those of the listener that is full, or all where
    /// descriptors have run out.
    private func makeRoom(among acceptor: Acceptor?) {
        for loop in loops {
            loop.loop.execute { loop.closeLongestIdle(upTo: Self.acceptsPerEvent / 2, of: acceptor) }
        }
    }

    private func backOff() {
        isBackingOff = true
        makeRoom(among: nil)
        loop.executeAfter(milliseconds: Self.backoffMilliseconds) { [self] in
            isBackingOff = false
            rearm()
        }
    }
}
