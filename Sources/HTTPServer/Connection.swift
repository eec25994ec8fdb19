import HTTP
import HTTPTypes
import Parallelism
import Transport

/// The shell of one connection: owns the socket and carries out what `ConnectionState` says.
final class Connection: @unchecked Sendable {  // belongs to `loop`'s queue
    let loop: EventLoop
    /// Its place in the server loop's table.
    var slot = 0
    private(set) var state: ConnectionState

    private let owner: ServerLoop
    private let context: ServerContext
    let acceptor: Acceptor
    private let stream: ByteStream
    let peer: SocketAddress?
    private var receiving: Readiness?
    private var sending: Readiness?
    private var exchange: Exchange?
    private var isClosed = false
    /// Whether reading has stopped short of everything that had arrived.
    private var leftUnread = false
    /// What TLS waits for when it has to write before it can read, or to read before it can write.
    private var receiveAwaits = Readiness.Direction.readable
    private var sendAwaits = Readiness.Direction.writable
    /// Whether the sending side is to be ended as soon as the socket takes TLS's farewell.
    private var isFinishingSending = false
    private var awaitsHandshake: Bool

    /// What `ServerContext.hold` has been told of.
    private var heldBytes = 0

    /// The answer to the request that was not admitted last, until it is given.
    private var refusal: Refusal?

    /// What was found out about the request whose body is being read.
    private var admitted: Admitted?

    private struct Refusal {
        var response: Response
        var label: String
        var path: String
        var requestID: String
    }

    private struct Admitted {
        var target: RequestTarget
        var requestID: String
        var keyName: String?
    }

    /// The request being answered.
    private struct Exchange {
        var label: String
        var method: HTTPRequest.Method
        var path: String?
        var requestID: String
        /// For pages of other origins.
        var crossOriginFields: HTTPFields?
        var received: Instant
        var readDone: Instant
        /// Absent where the server answers itself.
        var pending: PendingAnswer?
    }

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

    private var router: Router { acceptor.listener.router }

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
            switch stream.receive(into: buffer) {
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

    private func perform(_ action: ConnectionAction?, _ now: Instant) {
        switch action {
        case .decide(let head): decide(head, now)
        case .dispatch(let request): route(request, now)
        case .refuse(let rejection):
            context.noteRejection(rejection)
            let head = state.refusedHead
            let target = try? RequestTarget(head.target)
            exchange = Exchange(
                label: target.map { router.label(head.method, $0) } ?? Router.unmatchedLabel,
                method: head.method, path: target?.path, requestID: owner.requestIDs.id(for: head.fields),
                crossOriginFields: crossOriginFields(head), received: state.requestStarted, readDone: now)
            let fields: HTTPFields = rejection.status == .serviceUnavailable ? [.retryAfter: "1"] : [:]
            finish(error: rejection.status, detail: rejection.detail, fields: fields, now)
        case .turnAway(let head): turnAway(head, now)
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
        guard let target = try? RequestTarget(head.target) else { return true }
        let requestID = owner.requestIDs.id(for: head.fields)
        let match = router.match(head.method, target)
        guard case .handler(let endpoint, let label, let parameters) = match else {
            let (response, label) = answer(without: match, head, target, requestID)
            refusal = Refusal(response: response, label: label, path: target.path, requestID: requestID)
            return false
        }
        var response: Response?
        var keyName: String?
        switch decision(endpoint, head) {
        case .refused(let refusal):
            response = errorResponse(
                refusal.status, detail: refusal.detail, fields: refusal.fields, requestID: requestID, path: target.path)
        case .granted(let name):
            keyName = name
            response = endpoint.admission.flatMap { admission in
                admission(
                    Request(
                        method: head.method, path: target.path, parameters: parameters, query: target.query,
                        fields: head.fields, authority: head.authority, body: [], peer: peer, keyName: name,
                        received: received, readDone: context.clock.now(), id: requestID))
            }
        }
        if response == nil, let limit = endpoint.maximumBodyBytes, !head.framing.fits(limit) {
            response = errorResponse(
                .contentTooLarge, detail: "A body may have \(limit) bytes here, and must tell its length.", fields: [:],
                requestID: requestID, path: target.path)
        }
        guard let response else {
            admitted = Admitted(target: target, requestID: requestID, keyName: keyName)
            return true
        }
        refusal = Refusal(response: response, label: label, path: target.path, requestID: requestID)
        return false
    }

    private func turnAway(_ head: RequestHead, _ now: Instant) {
        guard let refusal = refusal.take() else { preconditionFailure("nobody has refused this") }
        exchange = Exchange(
            label: refusal.label, method: head.method, path: refusal.path, requestID: refusal.requestID,
            crossOriginFields: crossOriginFields(head), received: state.requestStarted, readDone: now)
        finish(refusal.response, now)
    }

    /// Answers at once where the body would be sent for nothing.
    private func decide(_ head: RequestHead, _ now: Instant) {
        guard admits(head, received: state.requestStarted) else { return turnAway(head, now) }
        if case .success = parseTarget(head) { return state.proceed(now: now) }
        route(IncomingRequest(head: head, body: [], received: state.requestStarted, readDone: now), now)
    }

    /// The answer to a request that leads to no handler.
    private func answer(
        without match: Router.Match, _ head: RequestHead, _ target: RequestTarget, _ requestID: String
    ) -> (response: Response, label: String) {
        func error(
            _ status: HTTPResponse.Status, _ detail: String, _ label: String, _ fields: HTTPFields = [:]
        ) -> (Response, String) {
            (errorResponse(status, detail: detail, fields: fields, requestID: requestID, path: target.path), label)
        }
        switch match {
        case .handler: preconditionFailure("there is a handler")
        case .options(let allow, let label):
            var response = Response(status: .noContent, fields: [.allow: allow])
            if let policy = acceptor.listener.crossOrigin {
                response.fields.append(contentsOf: policy.preflightFields(for: head.fields, methods: allow))
            }
            return (response, label)
        case .otherMethod(let allow, let label):
            return error(.methodNotAllowed, "\(target.path) allows \(allow).", label, [.allow: allow])
        case .unknownPath: return error(.notFound, "There is no \(target.path).", Router.unmatchedLabel)
        case .unknownMethod:
            return error(.notImplemented, "The method \(head.method) is not implemented.", Router.unmatchedLabel)
        }
    }

    private func noteHandshake(_ result: HandshakeResult) {
        awaitsHandshake = false
        context.observer.handshakeFinished(result)
    }

    private func route(_ incoming: IncomingRequest, _ now: Instant) {
        let head = incoming.head
        let admitted = admitted.take()
        var exchange = Exchange(
            label: Router.unmatchedLabel, method: head.method, path: nil,
            requestID: admitted?.requestID ?? owner.requestIDs.id(for: head.fields),
            crossOriginFields: crossOriginFields(head), received: incoming.received, readDone: incoming.readDone)
        let target: RequestTarget
        switch admitted.map({ .success($0.target) }) ?? parseTarget(head) {
        case .success(let parsed): target = parsed
        case .failure(let error):
            // For the form of the error: a path that cannot be decoded lies somewhere, too.
            exchange.path = String(head.target.prefix { $0 != "?" })
            self.exchange = exchange
            context.noteRejection(.malformed(error))
            return finish(error: error.status, detail: error.description, now)
        }
        exchange.path = target.path
        let match = router.match(head.method, target)
        guard case .handler(let endpoint, let label, let parameters) = match else {
            let (response, label) = answer(without: match, head, target, exchange.requestID)
            exchange.label = label
            self.exchange = exchange
            return finish(response, now)
        }
        exchange.label = label
        let keyName: String?
        switch admitted.map({ .granted(keyName: $0.keyName) }) ?? decision(endpoint, head) {
        case .granted(let name): keyName = name
        case .refused(let refusal):
            self.exchange = exchange
            return finish(error: refusal.status, detail: refusal.detail, fields: refusal.fields, now)
        }
        // The handler may hold more for it, from another thread: the body counts first.
        account(now)
        guard !isClosed else { return }
        let pending = PendingAnswer(connection: self)
        exchange.pending = pending
        self.exchange = exchange
        context.noteStart(label)
        let request = Request(
            method: head.method, path: target.path, parameters: parameters, query: target.query, fields: head.fields,
            authority: head.authority, body: incoming.body, peer: peer, keyName: keyName, received: incoming.received,
            readDone: incoming.readDone, id: exchange.requestID)
        endpoint.handler(request, Responder(pending, context: context))
        if let answer = pending.handlerReturned() { finish(answer, context.clock.now()) }
    }

    private func parseTarget(_ head: RequestHead) -> Result<RequestTarget, HTTPParseError> {
        Result { () throws(HTTPParseError) in try RequestTarget(head.target) }
    }

    private func finish(_ answer: PendingAnswer.Answer, _ now: Instant) {
        switch answer {
        case .response(let response): finish(response, now)
        case .dropped:
            context.logger.error("a handler has let its request go without an answer: \(exchange?.label ?? "")")
            finish(error: .internalServerError, detail: "The request was not answered.", now)
        case .abandoned: close()
        }
    }

    private func finish(
        error status: HTTPResponse.Status, detail: String, fields: HTTPFields = [:], _ now: Instant
    ) {
        finish(
            errorResponse(
                status, detail: detail, fields: fields, requestID: exchange?.requestID ?? "", path: exchange?.path), now
        )
    }

    private func errorResponse(
        _ status: HTTPResponse.Status, detail: String, fields: HTTPFields, requestID: String, path: String?
    ) -> Response {
        let (contentType, body) = context.errorBody(
            ErrorDescription(
                status: status, title: status.reasonPhrase, detail: detail, requestID: requestID, path: path))
        var response = Response(status: status, contentType: contentType, body: body)
        response.fields.append(contentsOf: fields)
        return response
    }

    /// Writes the answer to the request at hand.
    private func finish(_ response: Response, _ now: Instant) {
        guard let exchange = exchange.take() else { preconditionFailure("nothing waits for an answer") }
        let framing = state.answer(now: now, isDraining: context.isDraining)
        var stages = [Stage(name: "read", seconds: exchange.readDone.seconds(since: exchange.received))]
        stages.append(contentsOf: response.stages)
        let carriesBody = ResponseEncoder.carriesBody(response.status, framing: framing)
        var fields = response.fields
        if let further = exchange.crossOriginFields { fields.append(contentsOf: further) }
        state.output.append { bytes in
            owner.encoder.appendHead(
                status: response.status, fields: fields, requestID: exchange.requestID, stages: stages,
                bodyBytes: response.body.count, framing: framing, unixSeconds: owner.unixSeconds(), to: &bytes)
        }
        if carriesBody { state.output.append(body: response.body) }
        context.noteAnswer(
            RequestRecord(
                route: exchange.label, method: exchange.method, status: response.status.code,
                seconds: context.clock.now().seconds(since: exchange.received), stages: stages,
                requestID: exchange.requestID),
            wasStarted: exchange.pending != nil)
    }

    private func close() {
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
            context.noteAnswer(
                RequestRecord(
                    route: exchange.label, method: exchange.method, status: ServerRejection.disconnected.status.code,
                    seconds: context.clock.now().seconds(since: exchange.received), stages: [],
                    requestID: exchange.requestID), wasStarted: true)
        }
        // The sources hold the connection, and with it the descriptor, until they are done with it.
        receiving?.cancel { [self] in receiving = nil }
        sending?.cancel { [self] in sending = nil }
        owner.remove(self)
    }
}
