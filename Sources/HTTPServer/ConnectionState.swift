import HTTP
import Parallelism

/// A complete request with the times at which it came.
struct IncomingRequest: Equatable {
    var head: RequestHead
    var body: [UInt8]
    /// When its first byte was read.
    var received: Instant
    var readDone: Instant
}

/// What a connection's shell is to do.
enum ConnectionAction: Equatable {
    /// The client waits for 100: call `proceed()`, or refuse by `answer(…)`.
    case decide(RequestHead)
    /// Route it, and call `answer(…)` now or later.
    case dispatch(IncomingRequest)
    /// Answer with an error by `answer(…)`; the connection closes after it.
    case refuse(ServerRejection)
    /// The client is gone while its request is being answered.
    case cancel
    case shutdownSending
    case close
}

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
        /// The last answer is being sent.
        case flushing(lingers: Bool)
        /// The last answer is sent; what the client still sends is dropped, lest a reset destroy the answer.
        case lingering(until: Instant, bytesLeft: Int)
        case closed
    }

    let configuration: ServerConfiguration
    private(set) var phase = Phase.reading
    private(set) var hasEnded = false
    /// Whether the peer has sent a part of its handshake: then it is waited for.
    var hasBegunHandshake = false
    var output = OutputBuffer()

    private var parser: RequestParser
    /// What was read beyond the request at hand.
    private var backlog: [UInt8] = []
    private var backlogStart = 0
    private var isReadingBody = false
    /// Whether a body is being read of a request that `takeHead()` has not given out.
    private var isHeadNew = false
    /// The framing of the request at hand.
    private var version = HTTPVersion.http11
    private var isHead = false
    private var keepsAlive = true
    // When things last happened, for the deadlines.
    /// When the first byte of the request at hand was read.
    private(set) var requestStarted: Instant
    private var bodyStarted: Instant
    private var bodyProgressed: Instant
    private var idleSince: Instant
    private var outputProgressed: Instant

    init(configuration: ServerConfiguration, isSecure: Bool = false, now: Instant) {
        self.configuration = configuration
        if isSecure { phase = .handshaking }
        parser = RequestParser(configuration: configuration.parser)
        requestStarted = now
        bodyStarted = now
        bodyProgressed = now
        idleSince = now
        outputProgressed = now
    }

    /// The body of the request that is being answered. Units: bytes.
    private var dispatchedBytes = 0

    /// Bytes of bodies that are held for this connection.
    var heldBytes: Int {
        switch phase {
        case .reading, .deciding: parser.bodyByteCount
        case .processing: dispatchedBytes
        case .handshaking, .refusing, .flushing, .lingering, .closed: 0
        }
    }

    private var backlogCount: Int { backlog.count - backlogStart }

    /// What is known of a request that is refused: as much of its head as was read.
    var refusedHead: RequestHead { parser.head }

    /// Whether nothing of a request has been read and nothing is left to send.
    var isIdle: Bool {
        if phase == .handshaking { return !hasBegunHandshake }
        return phase == .reading && !parser.hasStarted && backlogCount == 0 && output.isEmpty
    }

    var wantsToReceive: Bool {
        switch phase {
        case .reading, .processing: !hasEnded && backlogCount < configuration.maximumBacklogBytes
        case .handshaking, .lingering: true
        case .deciding, .refusing, .flushing, .closed: false
        }
    }

    // MARK: Events

    mutating func handshaken(now: Instant) {
        precondition(phase == .handshaking, "no handshake was going on")
        phase = .reading
        idleSince = now
    }

    /// The peer has been told by TLS itself why. What it has sent meanwhile is dropped, lest a reset destroy that.
    mutating func handshakeFailed() {
        precondition(phase == .handshaking, "no handshake was going on")
        phase = .flushing(lingers: true)
    }

    /// A request in the clear has come instead of a handshake.
    mutating func receivedPlainText(now: Instant) -> ConnectionAction {
        precondition(phase == .handshaking, "no handshake was going on")
        requestStarted = now
        return refuse(.plainText)
    }

    mutating func received(_ bytes: UnsafeBufferPointer<UInt8>, now: Instant) -> ConnectionAction? {
        switch phase {
        case .reading where backlogCount == 0 && output.count < configuration.maximumOutputBytes:
            var offset = 0
            let action = read(bytes, from: &offset, now: now)
            if offset < bytes.count, !isEnding { keep(bytes[offset...]) }
            return action
        case .reading, .deciding, .processing:
            keep(bytes[...])
            return nil
        case .lingering(let until, let bytesLeft):
            guard bytesLeft >= bytes.count else { return close() }
            phase = .lingering(until: until, bytesLeft: bytesLeft - bytes.count)
            return nil
        case .refusing, .flushing, .closed:
            return nil
        case .handshaking: preconditionFailure("bytes of a request before the handshake")
        }
    }

    /// The client has ended its side: after a complete request it counts as gone.
    mutating func receivedEnd() -> ConnectionAction? {
        hasEnded = true
        switch phase {
        case .processing:
            dropBacklog()
            return .cancel
        case .handshaking, .lingering: return close()
        default: return nil
        }
    }

    mutating func sent(_ count: Int, now: Instant) {
        output.consume(count)
        outputProgressed = now
        if output.isEmpty, phase == .reading, !parser.hasStarted { idleSince = now }
    }

    /// All connections together hold too much: gives up the body that is being read, if one is.
    mutating func holdsTooMuch() -> ConnectionAction? {
        guard phase == .reading, isReadingBody else { return nil }
        return refuse(.tooManyBytesHeld(maximum: configuration.maximumHeldBytes))
    }

    /// The head of a request whose body is still to come, once.
    mutating func takeHead() -> RequestHead? {
        guard isHeadNew, phase == .reading else { return nil }
        isHeadNew = false
        return parser.head
    }

    /// Gives up the body that is being read: the request is answered by `answer(…)` now, and the connection closes.
    mutating func refuseBody() {
        precondition(phase == .reading && isReadingBody, "no body is being read")
        note(parser.head)
        phase = .deciding
        dropBacklog()
    }

    /// Reading or writing has failed.
    mutating func failed() -> ConnectionAction { close() }

    /// Tells the client to send the body that it holds back.
    mutating func proceed(now: Instant) {
        precondition(phase == .deciding, "nothing waits for 100")
        noteOutput(now)
        output.append(ResponseEncoder.appendContinue)
        phase = .reading
        bodyProgressed = now
    }

    /// Takes the answer to the request at hand: the caller appends it to `output` at once, framed as returned.
    mutating func answer(now: Instant, isDraining: Bool) -> ResponseFraming {
        let isRefusal = phase == .refusing || phase == .deciding
        precondition(isRefusal || phase == .processing, "nothing waits for an answer")
        // A draining server closes after the last request that it has read bytes of.
        let closes = isRefusal || !keepsAlive || hasEnded || (isDraining && backlogCount == 0)
        let hasUnread = isRefusal || backlogCount > 0
        noteOutput(now)
        if closes {
            phase = .flushing(lingers: hasUnread)
            dropBacklog()
        } else {
            phase = .reading
            idleSince = now
        }
        return ResponseFraming(version: version, isHead: isHead, keepsAlive: !closes)
    }

    // MARK: Actions

    /// The next thing to do without a further event, or nil.
    mutating func nextAction(now: Instant) -> ConnectionAction? {
        switch phase {
        case .reading:
            if backlogCount > 0, output.count < configuration.maximumOutputBytes {
                if let action = readBacklog(now: now) { return action }
            }
            guard hasEnded, backlogCount == 0 else { return nil }
            if parser.hasStarted { return refuse(.malformed(.incompleteMessage)) }
            phase = .flushing(lingers: false)
            return nextAction(now: now)
        case .flushing(let lingers):
            guard output.isEmpty else { return nil }
            guard lingers, !hasEnded else { return close() }
            phase = .lingering(
                until: now.advanced(byNanoseconds: configuration.timeouts.lingerNanoseconds),
                bytesLeft: configuration.maximumLingerBytes)
            return .shutdownSending
        case .handshaking, .deciding, .processing, .refusing, .lingering, .closed:
            return nil
        }
    }

    // MARK: Deadlines

    /// When `expire` is due.
    var deadline: Instant {
        let timeouts = configuration.timeouts
        if !output.isEmpty { return outputProgressed.advanced(byNanoseconds: timeouts.writeStallNanoseconds) }
        switch phase {
        case .handshaking: return requestStarted.advanced(byNanoseconds: timeouts.handshakeNanoseconds)
        case .reading where isReadingBody:
            return min(
                bodyProgressed.advanced(byNanoseconds: timeouts.bodyStallNanoseconds),
                bodyStarted.advanced(byNanoseconds: timeouts.bodyNanoseconds))
        case .reading where parser.hasStarted:
            return requestStarted.advanced(byNanoseconds: timeouts.headNanoseconds)
        case .reading: return idleSince.advanced(byNanoseconds: timeouts.idleNanoseconds)
        case .lingering(let until, _): return until
        case .deciding, .processing, .refusing, .flushing, .closed: return Instant(nanoseconds: .max)
        }
    }

    /// What a deadline that has passed leads to; nil where none has.
    mutating func expire(now: Instant) -> ConnectionAction? {
        guard now >= deadline else { return nil }
        guard output.isEmpty, phase == .reading, parser.hasStarted else { return close() }
        return refuse(isReadingBody ? .bodyTimeout : .headTimeout)
    }

    // MARK: Parts

    private var isEnding: Bool {
        switch phase {
        case .refusing, .flushing, .lingering, .closed: true
        case .handshaking, .reading, .deciding, .processing: false
        }
    }

    private mutating func readBacklog(now: Instant) -> ConnectionAction? {
        let bytes = backlog
        var offset = backlogStart
        let action = bytes.withUnsafeBufferPointer { read($0, from: &offset, now: now) }
        if isEnding || offset == bytes.count { dropBacklog() } else { backlogStart = offset }
        return action
    }

    private mutating func read(
        _ bytes: UnsafeBufferPointer<UInt8>, from offset: inout Int, now: Instant
    ) -> ConnectionAction? {
        if !parser.hasStarted { requestStarted = now }
        while true {
            switch parser.read(bytes, from: &offset) {
            case .needsMore:
                bodyProgressed = now
                return nil
            case .head:
                isReadingBody = true
                isHeadNew = true
                bodyStarted = now
                if parser.head.expectsContinue, offset == bytes.count {
                    isHeadNew = false
                    note(parser.head)
                    phase = .deciding
                    return .decide(parser.head)
                }
            case .complete(let request):
                isReadingBody = false
                isHeadNew = false
                note(request.head)
                phase = .processing
                dispatchedBytes = request.body.count
                return .dispatch(
                    IncomingRequest(head: request.head, body: request.body, received: requestStarted, readDone: now))
            case .invalid(let error):
                return refuse(.malformed(error))
            }
        }
    }

    private mutating func note(_ head: RequestHead) {
        version = head.version
        isHead = head.method == .head
        keepsAlive = head.keepsAlive
    }

    private mutating func refuse(_ rejection: ServerRejection) -> ConnectionAction {
        phase = .refusing
        note(parser.head)
        dropBacklog()
        return .refuse(rejection)
    }

    private mutating func close() -> ConnectionAction {
        phase = .closed
        dropBacklog()
        return .close
    }

    private mutating func keep(_ bytes: Slice<UnsafeBufferPointer<UInt8>>) {
        backlog.removeFirst(backlogStart)
        backlogStart = 0
        backlog.append(contentsOf: bytes)
    }

    private mutating func dropBacklog() {
        backlog = []
        backlogStart = 0
    }

    private mutating func noteOutput(_ now: Instant) {
        if output.isEmpty { outputProgressed = now }
    }
}
