import HTTP

/// What was read beyond the request at hand.
struct Backlog {
    private var bytes: [UInt8] = []
    /// What lies before has been read.
    private var start = 0

    /// Bytes that have not been read.
    var count: Int { bytes.count - start }
    var isEmpty: Bool { count == 0 }

    /// What it takes, with what has been read and not been let go yet.
    var memoryBytes: Int { bytes.count }

    mutating func append(_ more: Slice<UnsafeBufferPointer<UInt8>>) {
        bytes.removeFirst(start)
        start = 0
        bytes.append(contentsOf: more)
    }

    mutating func drop() { self = Backlog() }

    /// Hands out all that has not been read, and lets go of what `body` reads.
    ///
    /// - Parameter body: moves the offset past what it reads.
    mutating func read<Result>(_ body: (UnsafeBufferPointer<UInt8>, inout Int) -> Result) -> Result {
        var offset = start
        let result = bytes.withUnsafeBufferPointer { body($0, &offset) }
        if offset == bytes.count { drop() } else { start = offset }
        return result
    }

    /// A request that has been read no further than it had to be.
    struct Waiting {
        /// As much as has come.
        var head: RequestHead
        /// How much has come of its body.
        var bodyBytes: Int
    }

    /// The requests that begin in it, where it begins with one. What cannot be read is the last.
    func requests(_ configuration: RequestParser.Configuration) -> [Waiting] {
        var (parser, offset) = (RequestParser(configuration: configuration), start)
        var requests: [Waiting] = []
        return bytes.withUnsafeBufferPointer { bytes in
            while true {
                switch parser.read(bytes, from: &offset) {
                case .head: continue
                case .complete(let request):
                    requests.append(Waiting(head: request.head, bodyBytes: request.body.count))
                case .needsMore where !parser.hasStarted: return requests
                case .needsMore, .invalid:
                    requests.append(Waiting(head: parser.head, bodyBytes: parser.bodyBytesRead))
                    return requests
                }
            }
        }
    }
}
