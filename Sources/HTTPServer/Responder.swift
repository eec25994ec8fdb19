import HTTP
import Parallelism
import Synchronization

/// Takes a request's answer, once, from any thread. If it is let go without one, the answer is 500; after the client has
/// gone away that is no error, and the connection just closes.
public final class Responder: Sendable {
    private let pending: PendingAnswer
    private let context: ServerContext
    private let bodyBytes: Int
    private let heldBytes = Atomic(0)

    /// - Parameter bodyBytes: the memory of the request's body, which its connection counts.
    init(_ pending: PendingAnswer, bodyBytes: Int, context: ServerContext) {
        self.pending = pending
        self.bodyBytes = bodyBytes
        self.context = context
    }

    deinit {
        letGo()
        pending.respond(nil)
    }

    /// Counts memory that answering takes beside the request's body among the bytes held by all requests, until there is
    /// an answer or the responder is let go.
    ///
    /// - Returns: false, with nothing counted, where that goes beyond the limit.
    public func hold(_ bytes: Int) -> Bool {
        precondition(bytes >= 0, "a request holds \(bytes) bytes")
        guard bytes <= context.configuration.maximumHeldBytes else { return false }
        guard context.hold(bytes) <= context.configuration.maximumHeldBytes else {
            _ = context.hold(-bytes)
            return false
        }
        heldBytes.wrappingAdd(bytes, ordering: .relaxed)
        return true
    }

    /// Whether `hold` could grant that if no other request held anything: otherwise repeating the request is of no use.
    public func couldHold(_ bytes: Int) -> Bool {
        bytes <= context.configuration.maximumHeldBytes - bodyBytes - heldBytes.load(ordering: .relaxed)
    }

    private func letGo() {
        let held = heldBytes.exchange(0, ordering: .relaxed)
        if held > 0 { _ = context.hold(-held) }
    }

    /// Answers the request. A second answer is dropped.
    public func respond(_ response: Response) {
        // Before the answer: who has it may send the next request, which needs the room.
        letGo()
        pending.respond(response)
    }

    /// Sets what is called, on the event loop, when the client goes away before the answer; at once if it has.
    public func onCancel(_ handler: @escaping @Sendable () -> Void) { pending.onCancel(handler) }

    /// Whether the client has gone away. An answer is still taken.
    public var isCancelled: Bool { pending.isCancelled }
}

/// The place where an answer and the connection that waits for it meet.
final class PendingAnswer: Sendable {
    private enum Phase {
        /// The handler is still running on the connection's own queue.
        case inHandler
        case waiting
        case answered
    }

    private struct State {
        var phase = Phase.inHandler
        /// An answer given inside the handler, where the connection looks for it.
        var answer: Answer?
        var cancelHandler: (@Sendable () -> Void)?
        var isCancelled = false
        /// Who waits; nobody after the connection has closed.
        var connection: Connection?
    }

    enum Answer: Sendable {
        case response(Response)
        /// The handler has let its responder go.
        case dropped
        /// It has done so after the client had gone.
        case abandoned
    }

    private let state: Lock<State>

    init(connection: Connection) { state = Lock(State(connection: connection)) }

    func respond(_ response: Response?) {
        let (connection, answer, cancelHandler) = state.withLock {
            state -> (Connection?, Answer, (@Sendable () -> Void)?) in
            let answer = response.map(Answer.response) ?? (state.isCancelled ? .abandoned : .dropped)
            guard state.phase != .answered, state.answer == nil else { return (nil, answer, nil) }
            // Let go outside the lock: its captures may own the responder.
            let handler = state.cancelHandler.take()
            guard state.phase == .waiting else {
                state.answer = answer
                return (nil, answer, handler)
            }
            state.phase = .answered
            return (state.connection.take(), answer, handler)
        }
        withExtendedLifetime(cancelHandler) {
            connection?.loop.execute { [self] in connection?.take(answer, from: self) }
        }
    }

    /// Ends the handler's turn: the answer if it has been given, else nil, and it will come by `take(_:from:)`.
    func handlerReturned() -> Answer? {
        state.withLock { state in
            guard let answer = state.answer.take() else {
                state.phase = .waiting
                return nil
            }
            state.phase = .answered
            state.connection = nil
            return answer
        }
    }

    func onCancel(_ handler: @escaping @Sendable () -> Void) {
        let runsNow = state.withLock { state in
            if state.isCancelled { return true }
            if state.phase != .answered, state.answer == nil { state.cancelHandler = handler }
            return false
        }
        if runsNow { handler() }
    }

    var isCancelled: Bool { state.withLock { $0.isCancelled } }

    /// Tells the handler that the client is gone.
    func cancel() {
        let handler = state.withLock { state in
            state.isCancelled = true
            return state.cancelHandler.take()
        }
        handler?()
    }

    /// The connection has closed: an answer is wanted no more.
    func detach() {
        let connection = state.withLock { $0.connection.take() }
        withExtendedLifetime(connection) {}
    }
}
