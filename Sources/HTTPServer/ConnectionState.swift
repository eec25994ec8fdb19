import HTTP
import Parallelism

/// The protocol of one connection without its descriptor, queue and clock: events go in, actions come out.
///
/// After any event, call `nextAction` until it is nil, send `output`, and see `wantsToReceive`. Requests are answered
/// one at a time, in order.
///
/// Source: RFC 9112 §9.
struct ConnectionState {
    enum Phase: Equatable {
        /// TLS is being agreed on.
        case handshaking
        /// Reading a request, or waiting for one.
        case reading
        /// A `decide`, `dispatch` or `refuse` is out.
        case deciding, processing, refusing
        /// A `turnAway` is out.
        case turningAway(Rest)
        /// It has been answered, and its body is still coming.
        case discarding
        /// The last answer is being sent.
        case flushing(lingers: Bool)
        /// The last answer is sent; what the client still sends is dropped, lest a reset destroy the answer.
        case lingering(until: Instant, bytesLeft: Int)
        case closed

        /// What becomes of the connection of a request that was turned away.
        enum Rest { case isRead, isDiscarded, closes }
    }

    let configuration: ServerConfiguration
    private(set) var phase = Phase.reading
    private(set) var hasEnded = false
    /// Whether the peer has sent a part of its handshake: then it is waited for.
    var hasBegunHandshake = false
    var output = OutputBuffer()

    private var parser: RequestParser
    private var backlog = Backlog()
    private(set) var isReadingBody = false
    /// The framing of the request at hand.
    private var version = HTTPVersion.http11
    private var isHead = false
    private var keepsAlive = true
    private(set) var times: Times

    init(configuration: ServerConfiguration, isSecure: Bool = false, now: Instant) {
        var configuration = configuration
        // A longer body could never be held.
        configuration.parser.maximumBodyBytes = min(
            configuration.parser.maximumBodyBytes, configuration.maximumHeldBytes)
        self.configuration = configuration
        if isSecure { phase = .handshaking }
        parser = RequestParser(configuration: configuration.parser)
        times = Times(now)
    }

    /// The memory of the body of the request that is being answered. Units: bytes.
    private(set) var dispatchedBytes = 0

    /// Bytes of memory that hold bodies, pipelined requests and answers for this connection.
    var heldBytes: Int {
        let body =
            switch phase {
            case .reading, .deciding: parser.bodyMemoryBytes
            case .processing: dispatchedBytes
            case .handshaking, .refusing, .turningAway, .discarding, .flushing, .lingering, .closed: 0
            }
        return body + backlog.memoryBytes + output.count
    }

    /// What is known of a request that is refused: as much of its head as was read.
    var refusedHead: RequestHead { parser.head }

    /// How much of the body of a request that is refused, or has not come as a whole, was read.
    var bodyBytesRead: Int { parser.bodyBytesRead }

    /// The requests that wait behind the one that is being answered, or until there is room for answers.
    var waitingRequests: [Backlog.Waiting] { parser.hasStarted ? [] : backlog.requests(configuration.parser) }

    /// Whether nothing of a request has been read and nothing is left to send.
    var isIdle: Bool {
        if phase == .handshaking { return !hasBegunHandshake }
        return phase == .reading && !parser.hasStarted && backlog.isEmpty && output.isEmpty
    }

    /// Whether a request has begun to come and is not there as a whole.
    var isReadingRequest: Bool { phase == .reading && parser.hasStarted }

    /// Whether nobody waits for anything: it is idle, or has been refused and is only sending the rest of its body.
    var isExpendable: Bool { isIdle || phase == .discarding && output.isEmpty }

    var wantsToReceive: Bool {
        switch phase {
        case .reading, .processing: !hasEnded && backlog.count < configuration.maximumBacklogBytes
        case .discarding: !hasEnded
        case .handshaking, .lingering: true
        case .deciding, .refusing, .turningAway, .flushing, .closed: false
        }
    }

    /// How much of what comes next is to be dropped unseen, where that is known.
    var discardableBytes: Int { phase == .discarding ? parser.bodyBytesLeft ?? 0 : 0 }

    // MARK: Events

    mutating func handshaken(now: Instant) {
        precondition(phase == .handshaking, "no handshake was going on")
        phase = .reading
        times.lastIdle = now
    }

    /// The peer has been told by TLS itself why. What it has sent meanwhile is dropped, lest a reset destroy that.
    mutating func handshakeFailed() {
        precondition(phase == .handshaking, "no handshake was going on")
        phase = .flushing(lingers: true)
    }

    /// A request in the clear has come instead of a handshake.
    mutating func receivedPlainText(now: Instant) -> ConnectionAction {
        precondition(phase == .handshaking, "no handshake was going on")
        times.requestStarted = now
        return refuse(.plainText)
    }

    /// Whether the body that follows a head is to be read; also told when the request began. It must not touch the state.
    typealias Admits = (RequestHead, Instant) -> Bool

    mutating func received(
        _ bytes: UnsafeBufferPointer<UInt8>, now: Instant, admits: Admits = { _, _ in true }
    ) -> ConnectionAction? {
        switch phase {
        case .reading where backlog.isEmpty && output.count < configuration.maximumOutputBytes:
            var offset = 0
            let action = read(bytes, from: &offset, now: now, admits: admits)
            if offset < bytes.count, !isEnding { backlog.append(bytes[offset...]) }
            return action
        case .reading, .deciding, .processing:
            backlog.append(bytes[...])
            return nil
        case .lingering(let until, let bytesLeft):
            guard bytesLeft >= bytes.count else { return close() }
            phase = .lingering(until: until, bytesLeft: bytesLeft - bytes.count)
            return nil
        case .discarding:
            var offset = 0
            if discard(bytes, from: &offset, now: now) { phase = .reading }
            if offset < bytes.count { backlog.append(bytes[offset...]) }
            return nil
        case .refusing, .turningAway, .flushing, .closed:
            return nil
        case .handshaking: preconditionFailure("bytes of a request before the handshake")
        }
    }

    /// So many of `discardableBytes` were dropped.
    mutating func discarded(_ count: Int, now: Instant) {
        times.bodyProgressed = now
        guard parser.skipBody(count) else { return }
        isReadingBody = false
        times.lastIdle = now
        phase = .reading
    }

    /// The client has ended its side: after a complete request it counts as gone.
    mutating func receivedEnd() -> ConnectionAction? {
        hasEnded = true
        switch phase {
        case .processing:
            backlog.drop()
            return .cancel
        case .handshaking, .lingering, .discarding: return close()
        default: return nil
        }
    }

    mutating func sent(_ count: Int, now: Instant) {
        output.consume(count)
        times.outputProgressed = now
        if output.isEmpty, phase == .reading, !parser.hasStarted { times.lastIdle = now }
    }

    /// All connections together hold too much: gives up the body that is being read, or else a connection that pipelines.
    mutating func holdsTooMuch() -> ConnectionAction? {
        if phase == .reading, isReadingBody {
            return refuse(.tooManyBytesHeld(maximum: configuration.maximumHeldBytes))
        }
        return backlog.isEmpty ? nil : close()
    }

    /// Reading or writing has failed.
    mutating func failed() -> ConnectionAction { close() }

    /// Tells the client to send the body that it holds back.
    mutating func proceed(now: Instant) {
        precondition(phase == .deciding, "nothing waits for 100")
        noteOutput(now)
        output.append(ResponseEncoder.appendContinue)
        phase = .reading
        times.bodyProgressed = now
    }

    /// Takes the answer to the request at hand: the caller appends it to `output` at once, framed as returned.
    mutating func answer(now: Instant, isDraining: Bool) -> ResponseFraming {
        var rest = Phase.Rest.isRead
        if case .turningAway(let ofBody) = phase { rest = ofBody }
        let isRefusal = phase == .refusing || phase == .deciding || rest == .closes
        precondition(isRefusal || phase == .processing || isTurningAway, "nothing waits for an answer")
        // A draining server closes after the last request that it has read bytes of.
        let closes = isRefusal || !keepsAlive || hasEnded || (isDraining && backlog.isEmpty)
        let hasUnread = isRefusal || rest == .isDiscarded || !backlog.isEmpty
        noteOutput(now)
        if closes {
            phase = .flushing(lingers: hasUnread)
            backlog.drop()
        } else {
            phase = rest == .isDiscarded ? .discarding : .reading
            times.lastIdle = now
        }
        return ResponseFraming(version: version, isHead: isHead, keepsAlive: !closes)
    }

    // MARK: Actions

    /// The next thing to do without a further event, or nil.
    mutating func nextAction(
        now: Instant, admits: Admits = { _, _ in true }
    ) -> ConnectionAction? {
        switch phase {
        case .reading:
            if !backlog.isEmpty, output.count < configuration.maximumOutputBytes {
                if let action = readBacklog(now: now, admits: admits) { return action }
            }
            guard hasEnded, backlog.isEmpty else { return nil }
            if parser.hasStarted { return refuse(.disconnected) }
            phase = .flushing(lingers: false)
            return nextAction(now: now, admits: admits)
        case .flushing(let lingers):
            guard output.isEmpty else { return nil }
            guard lingers, !hasEnded else { return close() }
            phase = .lingering(
                until: now.advanced(byNanoseconds: configuration.timeouts.lingerNanoseconds),
                bytesLeft: configuration.maximumLingerBytes)
            return .shutdownSending
        case .handshaking, .deciding, .processing, .refusing, .turningAway, .discarding, .lingering, .closed:
            return nil
        }
    }

    // MARK: Parts

    private var isEnding: Bool {
        switch phase {
        case .refusing, .flushing, .lingering, .closed: true
        case .handshaking, .reading, .deciding, .processing, .turningAway, .discarding: false
        }
    }

    private var isTurningAway: Bool {
        if case .turningAway = phase { true } else { false }
    }

    private mutating func readBacklog(now: Instant, admits: Admits) -> ConnectionAction? {
        var pending = backlog
        let action = pending.read { read($0, from: &$1, now: now, admits: admits) }
        if isEnding { backlog.drop() } else { backlog = pending }
        return action
    }

    private mutating func read(
        _ bytes: UnsafeBufferPointer<UInt8>, from offset: inout Int, now: Instant, admits: Admits
    ) -> ConnectionAction? {
        if !parser.hasStarted { times.requestStarted = now }
        while true {
            switch parser.read(bytes, from: &offset) {
            case .needsMore:
                times.bodyProgressed = now
                return nil
            case .head:
                isReadingBody = true
                times.bodyStarted = now
                if parser.head.expectsContinue, offset == bytes.count {
                    note(parser.head)
                    phase = .deciding
                    return .decide(parser.head)
                }
                if !admits(parser.head, times.requestStarted) { return turnAway(bytes, from: &offset, now: now) }
            case .complete(let request):
                isReadingBody = false
                note(request.head)
                phase = .processing
                dispatchedBytes = parser.memoryBytes(of: request.body)
                return .dispatch(
                    IncomingRequest(
                        head: request.head, body: request.body, received: times.requestStarted, readDone: now))
            case .invalid(let error):
                return refuse(.malformed(error))
            }
        }
    }

    /// The request will have no body: what of it is here is dropped, and the rest as it comes, where that is not much.
    private mutating func turnAway(
        _ bytes: UnsafeBufferPointer<UInt8>, from offset: inout Int, now: Instant
    ) -> ConnectionAction {
        let head = parser.head
        note(head)
        guard let left = parser.bodyBytesLeft, left <= configuration.maximumDiscardedBytes else {
            phase = .turningAway(.closes)
            offset = bytes.count
            return .turnAway(head)
        }
        parser.discardBody()
        let isRead = discard(bytes, from: &offset, now: now)
        phase = .turningAway(isRead ? .isRead : .isDiscarded)
        return .turnAway(head)
    }

    /// - Returns: whether the body has come to its end.
    private mutating func discard(
        _ bytes: UnsafeBufferPointer<UInt8>, from offset: inout Int, now: Instant
    ) -> Bool {
        times.bodyProgressed = now
        guard case .complete = parser.read(bytes, from: &offset) else { return false }
        isReadingBody = false
        times.lastIdle = now
        return true
    }

    private mutating func note(_ head: RequestHead) {
        version = head.version
        isHead = head.method == .head
        keepsAlive = head.keepsAlive
    }

    mutating func refuse(_ rejection: ServerRejection) -> ConnectionAction {
        phase = .refusing
        note(parser.head)
        parser.discardBody()
        backlog.drop()
        return .refuse(rejection)
    }

    mutating func close() -> ConnectionAction {
        phase = .closed
        backlog.drop()
        return .close
    }

    private mutating func noteOutput(_ now: Instant) {
        if output.isEmpty { times.outputProgressed = now }
    }
}
