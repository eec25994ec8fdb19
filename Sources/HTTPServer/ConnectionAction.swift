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
    /// The head was not admitted: answer by `answer(…)`. The body is dropped as it comes.
    case turnAway(RequestHead)
    /// The client is gone while its request is being answered.
    case cancel
    case shutdownSending
    case close
}
