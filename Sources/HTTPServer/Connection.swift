import HTTP
import HTTPTypes
import Parallelism
import Transport

/// The shell of one connection: owns the socket and carries out what `ConnectionState` says.
final class Connection: @unchecked Sendable {  // belongs to `loop`'s queue
    let loop: EventLoop
    /// Its place in the server loop's table.
    var slot = 0
    var state: ConnectionState

    let owner: ServerLoop
    let context: ServerContext
    let acceptor: Acceptor
    private let stream: ByteStream
    let peer: SocketAddress?
    private var receiving: Readiness?
    private var sending: Readiness?
    var exchange: Exchange?
    private(set) var isClosed = false
    /// Whether reading has stopped short of everything that had arrived.
    private var leftUnread = false
    /// What TLS waits for when it has to write before it can read, or to read before it can write.
    private var receiveAwaits = Readiness.Direction.readable
    private var sendAwaits = Readiness.Direction.writable
    /// Whether the sending side is to be ended as soon as the socket takes TLS's farewell.
    private var isFinishingSending = false
    private var awaitsHandshake: Bool

    /// How many bytes must have come until the socket counts as readable.
    private var lowWaterBytes = 1
    private static let maximumLowWaterBytes = 64 << 10

    /// What `ServerContext.hold` has been told of.
    private var heldBytes = 0

    /// What the head leads to whose body is being read or turned away.
    var resolved: ResolvedHead?

    init(_ stream: consuming ByteStream, peer: SocketAddress?, acceptor: Acceptor, owner: ServerLoop) {
        self.stream = stream
        self.peer = peer
        self.acceptor = acceptor
        self.owner = owner
        loop = owner.loop
        context = owner.context
        awaitsHandshake = acceptor.listener.tls != nil
        state = ConnectionState(
            configuration: owner.context.configuration, isSecure: acceptor.listener.tls != nil,
            now: owner.context.clock.now())
    }

    func start() {
        receiving = Readiness(.readable, of: stream.descriptor, on: loop) { [self] in receive() }
        // A client that has connected has mostly sent its request, too.
        receive()
    }

    // MARK: Events

    /// After so long others have their turn: a hundred pipelined requests, or a few hundred kilobytes of a body.
    private static let turnNanoseconds: Int64 = 1_000_000

    /// Reads all that has arrived, but lets others have their turn in between.
    ///
    /// Libdispatch tells of a hang-up once, however much is left to read: so nothing may be left to its telling again.
    func receive() {
        loop.preconditionOnLoop()
        var now = context.clock.now()
        let buffer = owner.receiveBuffer
        var roundsLeft = 16
        let start = now
        leftUnread = true
        receiving: while !isClosed, state.wantsToReceive, roundsLeft > 0,
            now.nanoseconds(since: start) < Self.turnNanoseconds
        {
            roundsLeft -= 1
            defer { now = context.clock.now() }
            receiveAwaits = .readable
            let discardable = state.discardableBytes
            let discarded = discardable > 0 ? stream.discard(discardable) : nil
            switch discarded ?? stream.receive(into: buffer) {
            case .bytes(let count) where discarded != nil: state.discarded(count, now: now)
            case .bytes(let count):
                let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
                perform(
                    bytes.withMemoryRebound(to: UInt8.self) {
                        state.received($0, now: now, admits: admits(_:received:))
                    }, now)
                proceed(now)
                account(now)
            case .endOfStream:
                leftUnread = false
                perform(state.receivedEnd(), now)
            case .wouldBlock(let direction):
                leftUnread = false
                receiveAwaits = direction
                state.hasBegunHandshake = stream.hasBegunHandshake
                break receiving
            case .nothing: break
            case .handshaken(let handshake):
                state.handshaken(now: now)
                noteHandshake(handshake.isResumed ? .resumed : .full)
            case .plainText:
                noteHandshake(.plainText)
                perform(state.receivedPlainText(now: now), now)
            case .refused(let error):
                context.logger.debug("\(error)", metadata: ["peer": "\(peer.map { "\($0)" } ?? "")"])
                noteHandshake(.failed)
                state.handshakeFailed()
            case .failed(let error):
                context.logger.debug("\(error)")
                loseUnread(.disconnected, now)
                perform(state.failed(), now)
            }
        }
        proceed(now)
        arm()
    }

    /// An answer that was given after its handler had returned.
    func take(_ answer: PendingAnswer.Answer, from pending: PendingAnswer) {
        loop.preconditionOnLoop()
        guard !isClosed, exchange?.pending === pending else { return }
        let now = context.clock.now()
        finish(answer, now)
        proceed(now)
        arm()
    }

    /// Looks at the deadline.
    func expire(now: Instant) {
        // What has come of a body that is dropped counts, though nobody was woken for it.
        if lowWaterBytes > 1, now >= state.deadline { receive() }
        guard let action = state.expire(now: now) else { return }
        perform(action, now)
        proceed(now)
        arm()
    }

    /// Closes the connection unless a request has come meanwhile.
    func closeIfIdle() {
        receive()
        if state.isExpendable { close() }
    }

    private func sendMore() {
        if isFinishingSending { isFinishingSending = !stream.finishSending() }
        if receiveAwaits == .writable { return receive() }
        proceed(context.clock.now())
        arm()
    }

    // MARK: Carrying out

    /// Does all that can be done without a further event.
    private func proceed(_ now: Instant) {
        while !isClosed {
            if let action = state.nextAction(now: now, admits: admits(_:received:)) {
                perform(action, now)
            } else if state.output.isEmpty || !send(now) {
                return
            }
        }
    }

    /// - Returns: whether everything has gone out.
    private func send(_ now: Instant) -> Bool {
        sendAwaits = .writable
        while !state.output.isEmpty {
            switch state.output.withUnsafePieces({ stream.send($0, then: $1) }) {
            case .bytes(let count): state.sent(count, now: now)
            case .wouldBlock(let direction):
                sendAwaits = direction
                return false
            case .failed(let error):
                context.logger.debug("\(error)")
                loseUnread(.disconnected, now)
                perform(state.failed(), now)
                return false
            }
        }
        return true
    }

    /// Tells the server how much this connection holds, and gives up a body that is too much for all of them.
    private func account(_ now: Instant) {
        let held = isClosed ? 0 : state.heldBytes
        let growth = held - heldBytes
        guard growth != 0 else { return }
        heldBytes = held
        guard context.hold(growth) > context.configuration.maximumHeldBytes, growth > 0 else { return }
        if let action = state.holdsTooMuch() {
            perform(action, now)
            proceed(now)
            account(now)
        }
    }

    private func arm() {
        account(context.clock.now())
        guard !isClosed else { return }
        setLowWater(min(max(1, state.discardableBytes), Self.maximumLowWaterBytes))
        let wantsToReceive = state.wantsToReceive
        let wantsToSend = !state.output.isEmpty
        receiving?.setArmed(
            wantsToReceive && receiveAwaits == .readable || wantsToSend && sendAwaits == .readable)
        if wantsToReceive, leftUnread {
            leftUnread = false
            loop.execute { [self] in receive() }
        }
        let awaitsWritable =
            wantsToSend && sendAwaits == .writable || wantsToReceive && receiveAwaits == .writable
            || isFinishingSending
        if awaitsWritable, sending == nil {
            sending = Readiness(.writable, of: stream.descriptor, on: loop) { [self] in sendMore() }
        }
        sending?.setArmed(awaitsWritable)
        owner.settle()
    }

    /// A body that is dropped wakes nobody for each of its packets.
    private func setLowWater(_ count: Int) {
        guard count != lowWaterBytes else { return }
        lowWaterBytes = count
        stream.setReceiveLowWater(count)
    }

    private func perform(_ action: ConnectionAction?, _ now: Instant) {
        switch action {
        case .decide(let head): decide(head, now)
        case .dispatch(let request): dispatch(request, now)
        case .refuse(let rejection): refuse(rejection, now)
        case .turnAway: turnAway(now)
        case .cancel:
            context.noteRejection(.disconnected)
            exchange?.pending?.cancel()
        case .shutdownSending:
            isFinishingSending = !stream.finishSending()
        case .close: close()
        case nil: break
        }
    }

    /// Whether the body behind `head` is to be read. `state` must not be touched: it asks.
    private func admits(_ head: RequestHead, received: Instant) -> Bool {
        let resolved = resolve(head, received: received, readDone: context.clock.now())
        self.resolved = resolved
        return resolved.isAdmitted
    }

    /// Answers at once where the body would be sent for nothing.
    private func decide(_ head: RequestHead, _ now: Instant) {
        if admits(head, received: state.times.requestStarted) { state.proceed(now: now) } else { turnAway(now) }
    }

    private func turnAway(_ now: Instant) {
        guard let resolved = resolved.take(), case .answer(let response) = resolved.destination else {
            preconditionFailure("nobody has refused this")
        }
        exchange = Exchange(summary: resolved.summary, received: state.times.requestStarted, readDone: now)
        finish(response, now)
    }

    private func refuse(_ rejection: ServerRejection, _ now: Instant) {
        context.noteRejection(rejection)
        let exchange = exchangeOfRest(now)
        self.exchange = exchange
        let fields: HTTPFields =
            rejection.status == .serviceUnavailable ? [.retryAfter: "1", .retryAfterMilliseconds: "1000"] : [:]
        var response = errorResponse(rejection.status, rejection.detail, fields: fields, exchange.summary)
        response.reason = rejection.reason
        finish(response, recordedStatus: rejection.recordedStatus, now)
    }

    /// Has a complete request answered.
    private func dispatch(_ incoming: IncomingRequest, _ now: Instant) {
        let resolved =
            resolved.take() ?? resolve(incoming.head, received: incoming.received, readDone: incoming.readDone)
        var exchange = Exchange(
            summary: resolved.summary, received: incoming.received, readDone: incoming.readDone,
            bodyBytes: incoming.body.count)
        switch resolved.destination {
        case .answer(let response):
            self.exchange = exchange
            finish(response, now)
        case .handler(let handler, var request):
            // The handler may hold more for it, from another thread: the body counts first.
            account(now)
            guard !isClosed else { return }
            let pending = PendingAnswer(connection: self)
            exchange.pending = pending
            self.exchange = exchange
            context.noteStart(exchange.summary.label)
            request.body = incoming.body
            request.readDone = incoming.readDone
            handler(request, Responder(pending, bodyBytes: state.dispatchedBytes, context: context))
            if let answer = pending.handlerReturned() { finish(answer, context.clock.now()) }
        }
    }

    private func noteHandshake(_ result: HandshakeResult) {
        awaitsHandshake = false
        context.observer.handshakeFinished(result)
    }

    func close() {
        guard !isClosed else { return }
        isClosed = true
        if awaitsHandshake, stream.hasBegunHandshake { noteHandshake(.abandoned) }
        stream.sayGoodbye()
        account(context.clock.now())
        if let exchange = exchange.take(), let pending = exchange.pending {
            if !pending.isCancelled {
                context.noteRejection(.disconnected)
                pending.cancel()
            }
            pending.detach()
            note(
                exchange, status: ServerRejection.disconnected.recordedStatus,
                reason: ServerRejection.disconnected.reason)
        }
        // The sources hold the connection, and with it the descriptor, until they are done with it.
        receiving?.cancel { [self] in receiving = nil }
        sending?.cancel { [self] in sending = nil }
        owner.remove(self)
    }
}
