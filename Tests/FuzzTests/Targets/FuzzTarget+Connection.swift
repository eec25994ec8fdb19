import Parallelism

@testable import HTTP
@testable import HTTPServer

extension FuzzTarget {
    /// A connection whose bytes, answers and sends come in any order: it hands out the requests that a parser finds in the
    /// whole, each once and in order, answers each, stays within its bounds and ends.
    static let connection = FuzzTarget("connection") { bytes in
        var run = ConnectionRun(bytes)
        return run.complaint()
    }
}

/// A connection driven by events that follow from the input.
private struct ConnectionRun {
    private var state: ConnectionState
    private let bytes: [UInt8]
    private var offset = 0
    private var random: InputRandom
    private var now = Instant(nanoseconds: 1)
    private var dispatched: [ParsedRequest] = []
    private var refusal: ServerRejection?
    private var isAnswerDue = false
    private var isClosed = false

    private static let configuration = {
        var configuration = ServerConfiguration()
        configuration.parser = ParsedStream.limits
        configuration.maximumBacklogBytes = 48
        configuration.maximumOutputBytes = 40
        configuration.maximumLingerBytes = 64
        return configuration
    }()

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        random = InputRandom(bytes)
        state = ConnectionState(configuration: Self.configuration, now: now)
    }

    mutating func complaint() -> String? {
        let expected = ParsedStream(bytes)
        var steps = 0
        while !isClosed {
            steps += 1
            if steps > 40 * (bytes.count + 20) { return "does not end: \(state.phase)" }
            if let complaint = step() { return complaint }
        }
        // What follows a request that closes the connection is not read.
        var requests = expected.requests
        let last = requests.firstIndex { !$0.head.keepsAlive }
        if let last { requests.removeSubrange((last + 1)...) }
        if isLeftWhileAnswering { return requests.starts(with: dispatched) ? nil : "other requests before the end" }
        if dispatched != requests {
            return "found \(dispatched.count) requests, and not the \(requests.count) that there are"
        }
        if last != nil { return refusal == nil ? nil : "refused what follows the last request" }
        let rejection = expected.isUnfinished ? .disconnected : expected.error.map(ServerRejection.malformed)
        return refusal == rejection ? nil : "refused for \(refusal.debugDescription)"
    }

    /// Whether the client ended its side before its requests were answered: it is taken to be gone, and what else it has
    /// sent is dropped.
    private var isLeftWhileAnswering = false

    /// A body, in memory that may be twice its size, what was read beyond it, and answers. The last piece and the last
    /// answer may go beyond their limits.
    private static let mostHeldBytes =
        2 * configuration.parser.maximumBodyBytes + configuration.maximumBacklogBytes + mostBytesAPiece
        + configuration.maximumOutputBytes + mostBytesAnAnswer
    private static let mostBytesAPiece = 24
    private static let mostBytesAnAnswer = 60

    private mutating func step() -> String? {
        if state.heldBytes > Self.mostHeldBytes { return "holds \(state.heldBytes) bytes" }
        if let action = state.nextAction(now: now) { return perform(action) }
        switch Int.random(in: 0..<4, using: &random) {
        case 0 where isAnswerDue: return answer()
        case 1 where !state.output.isEmpty:
            state.sent(.random(in: 1...state.output.count, using: &random), now: now)
        case 2, 3:
            guard state.wantsToReceive else { return isAnswerDue || !state.output.isEmpty ? nil : stuck() }
            if offset == bytes.count {
                isLeftWhileAnswering =
                    isLeftWhileAnswering || state.phase == .processing || !state.output.isEmpty
                return state.receivedEnd().flatMap { perform($0) }
            }
            let count = min(bytes.count - offset, .random(in: 1...Self.mostBytesAPiece, using: &random))
            let piece = Array(bytes[offset..<offset + count])
            offset += count
            return piece.withUnsafeBufferPointer { state.received($0, now: now) }.flatMap { perform($0) }
        default: break
        }
        return nil
    }

    private func stuck() -> String? {
        state.phase == .reading && state.hasEnded || state.phase == .closed ? nil : "waits for nothing: \(state.phase)"
    }

    private mutating func perform(_ action: ConnectionAction) -> String? {
        switch action {
        case .decide:
            if isAnswerDue { return "asks about a request while another is answered" }
            state.proceed(now: now)
        case .dispatch(let request):
            if isAnswerDue { return "two requests at a time" }
            isAnswerDue = true
            dispatched.append(ParsedRequest(head: request.head, body: request.body))
        case .refuse(let rejection):
            if isAnswerDue || refusal != nil { return "refuses while it answers" }
            isAnswerDue = true
            refusal = rejection
        case .turnAway: return "turns away what nobody has refused"
        case .cancel: if !isAnswerDue { return "cancels nothing" }
        case .shutdownSending: if !state.output.isEmpty { return "ends sending before all is sent" }
        case .close: isClosed = true
        }
        return nil
    }

    private mutating func answer() -> String? {
        isAnswerDue = false
        let framing = state.answer(now: now, isDraining: false)
        let keeps = refusal == nil && !state.hasEnded && dispatched.last?.head.keepsAlive == true
        if framing.keepsAlive != keeps { return "closes or stays open where it should not" }
        let size = Int.random(in: 1...Self.mostBytesAnAnswer, using: &random)
        state.output.append { $0.append(contentsOf: repeatElement(0x61, count: size)) }
        return nil
    }
}
