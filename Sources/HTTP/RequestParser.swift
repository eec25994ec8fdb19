import HTTPTypes

/// Reads requests from bytes as they arrive, one after another.
///
/// A line or body that is whole in the bytes handed over is read in place; only what is split over two reads is kept.
/// The body is copied once.
///
/// Source: RFC 9112 §2–§7.
public struct RequestParser: Sendable {
    /// What is refused for its size.
    public struct Configuration: Sendable, Equatable {
        /// Bytes of the request target; more is 414.
        public var maximumTargetBytes = 8 << 10
        /// Bytes of all field lines, and of all trailers; more is 431.
        public var maximumHeadBytes = 16 << 10
        /// Fields of one request; more is 431.
        public var maximumFieldCount = 256
        /// Bytes of the body after its framing is taken off; more is 413.
        public var maximumBodyBytes = 16 << 20

        public init() {}
    }

    public enum Progress: Sendable, Equatable {
        /// All bytes are read, and more are needed.
        case needsMore
        /// `head` is there and a body will follow. Comes once for each request that has a body.
        case head
        /// The request is complete; bytes after `offset` belong to the next.
        case complete(ParsedRequest)
        /// Nothing more can be read.
        case invalid(HTTPParseError)
    }

    enum Phase: Sendable, Equatable {
        case requestLine
        case fields
        case body(remaining: Int)
        case chunkSize(value: Int, digits: Int)
        case chunkBlank
        case chunkExtension
        case chunkSizeLineFeed
        case chunkData(remaining: Int)
        case chunkDataReturn
        case chunkDataLineFeed
        case trailers
        case invalid(HTTPParseError)
    }

    /// How far a body's buffer may be reserved ahead of what has arrived.
    static let reserveAheadBytes = 128 << 10

    public let configuration: Configuration
    /// The head being read; whole from `Progress.head` until the request is complete.
    public internal(set) var head = RequestHead.unread
    var phase = Phase.requestLine
    /// The beginning of a line whose end has not arrived.
    var pending: [UInt8] = []
    var body: [UInt8] = []
    /// Bytes read of the body so far, kept or not, and of one that cannot be read further.
    public internal(set) var bodyBytesRead = 0
    var sectionBytes = 0
    var extensionBytes = 0
    /// The size of the chunk whose size line is being read.
    var chunkBytes = 0
    var framing = FramingFields()
    var isDiscarding = false

    public init(configuration: Configuration = Configuration()) {
        self.configuration = configuration
    }

    /// Whether a byte of the next request has been read. Empty lines before it do not count (RFC 9112 §2.2).
    public var hasStarted: Bool {
        phase != .requestLine || !(pending.isEmpty || pending == [ASCII.carriageReturn])
    }

    /// Bytes of memory that hold what has been read of the body: up to twice as many, and 128 KiB, but never more than the
    /// longest body has. What the allocator rounds up to beyond that, less than a page, is left out.
    public var bodyMemoryBytes: Int { memoryBytes(of: body) }

    /// The same for the body of a request that is complete.
    public func memoryBytes(of body: [UInt8]) -> Int { min(body.capacity, configuration.maximumBodyBytes) }

    /// How much of the body is still to come, after `Progress.head`; nil where its framing does not tell.
    public var bodyBytesLeft: Int? {
        if case .body(let remaining) = phase { remaining } else { nil }
    }

    /// The rest of this body is read and forgotten: the request will be complete without it.
    public mutating func discardBody() {
        isDiscarding = true
        body = []
    }

    /// Takes note of `count` bytes of a discarded body that were dropped before anybody saw them: at most
    /// `bodyBytesLeft`.
    ///
    /// - Returns: whether the request is complete.
    public mutating func skipBody(_ count: Int) -> Bool {
        guard isDiscarding, case .body(let remaining) = phase, count <= remaining else {
            preconditionFailure("these bytes are no part of a discarded body")
        }
        phase = .body(remaining: remaining - count)
        guard count == remaining else { return false }
        _ = finish()
        return true
    }

    /// Reads on from `input[offset...]` and moves `offset` past what was read.
    ///
    /// - Complexity: O(bytes read), however they are split.
    public mutating func read(_ input: UnsafeBufferPointer<UInt8>, from offset: inout Int) -> Progress {
        do throws(HTTPParseError) {
            switch phase {
            case .requestLine, .fields:
                guard try readLines(input, &offset) else { return .needsMore }
                return try finishHead()
            case .trailers:
                guard try readLines(input, &offset) else { return .needsMore }
                return finish()
            case .body(let remaining):
                return readBody(input, &offset, remaining: remaining)
            case .invalid(let error):
                return .invalid(error)
            default:
                guard try readChunks(input, &offset) else { return .needsMore }
                guard try readLines(input, &offset) else { return .needsMore }
                return finish()
            }
        } catch {
            phase = .invalid(error)
            pending = []
            body = []
            return .invalid(error)
        }
    }

    /// Hands out the request and is ready for the next one.
    mutating func finish() -> Progress {
        let request = ParsedRequest(head: head, body: body)
        phase = .requestLine
        body = []
        bodyBytesRead = 0
        head = .unread
        framing = FramingFields()
        isDiscarding = false
        sectionBytes = 0
        extensionBytes = 0
        return .complete(request)
    }

    /// Reads lines until the section's empty line.
    ///
    /// - Returns: whether the section is complete.
    private mutating func readLines(_ input: UnsafeBytes, _ offset: inout Int) throws(HTTPParseError) -> Bool {
        while true {
            let start = offset
            var end = start
            if pending.last == ASCII.carriageReturn {
                guard start < input.count else { return false }
                guard input[start] == ASCII.lineFeed else { throw .bareCarriageReturn }
                offset = start + 1
                pending.removeLast()
                if try readPendingLine() { return true }
                continue
            }
            while end < input.count, ASCII.isText(input[end]) { end += 1 }
            try checkLength(lineBytes: pending.count + end - start)
            guard end < input.count else {
                pending.append(contentsOf: input[start..<end])
                offset = end
                return false
            }
            switch input[end] {
            case ASCII.carriageReturn:
                guard end + 1 < input.count else {
                    pending.append(contentsOf: input[start...end])
                    offset = end + 1
                    return false
                }
                guard input[end + 1] == ASCII.lineFeed else { throw .bareCarriageReturn }
                offset = end + 2
                if pending.isEmpty {
                    if try readLine(input.part(start..<end)) { return true }
                } else {
                    pending.append(contentsOf: input[start..<end])
                    if try readPendingLine() { return true }
                }
            case ASCII.lineFeed: throw .bareLineFeed
            case let byte: throw .controlByte(byte)
            }
        }
    }

    private mutating func readPendingLine() throws(HTTPParseError) -> Bool {
        let line = pending
        pending.removeAll(keepingCapacity: false)
        return try line.withUnsafeBufferPointer { (bytes) throws(HTTPParseError) in try readLine(bytes) }
    }

    private func checkLength(lineBytes: Int) throws(HTTPParseError) {
        if phase == .requestLine {
            // The method and the version beside the target: no method in use is longer than 32 bytes.
            if lineBytes > configuration.maximumTargetBytes + 48 {
                throw .targetTooLong(maximum: configuration.maximumTargetBytes)
            }
        } else if lineBytes > 0, sectionBytes + lineBytes + 2 > configuration.maximumHeadBytes {
            throw .headTooLarge(maximum: configuration.maximumHeadBytes)
        }
    }
}

extension RequestHead {
    static let unread = RequestHead(
        method: .get, target: "", authority: nil, version: .http11, fields: [:], framing: .none, keepsAlive: true,
        expectsContinue: false)
}
