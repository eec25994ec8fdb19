/// Bytes on their way to a client: those written into it, then at most one large body that is not copied.
struct OutputBuffer {
    /// A body of that size is sent from where it lies.
    static let largeBodyBytes = 32 << 10

    /// Heads and small bodies. Append only while `body` is empty; `append(body:)` sees to that.
    private(set) var bytes: [UInt8] = []
    private var start = 0
    private var body: [UInt8] = []
    private var bodyStart = 0

    var count: Int { bytes.count - start + body.count - bodyStart }
    var isEmpty: Bool { count == 0 }

    /// Appends what `write` appends to the array it is handed.
    mutating func append(_ write: (inout [UInt8]) -> Void) {
        mergeBody()
        write(&bytes)
    }

    mutating func append(body appended: [UInt8]) {
        mergeBody()
        if appended.count < Self.largeBodyBytes {
            bytes.append(contentsOf: appended)
        } else {
            body = appended
        }
    }

    /// What is to be sent: two pieces, of which the second may be empty.
    func withUnsafePieces<Result>(_ send: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) -> Result) -> Result {
        bytes.withUnsafeBytes { first in
            body.withUnsafeBytes { second in
                send(
                    UnsafeRawBufferPointer(rebasing: first[start...]),
                    UnsafeRawBufferPointer(rebasing: second[bodyStart...]))
            }
        }
    }

    /// Takes off what was sent.
    mutating func consume(_ sent: Int) {
        let fromBytes = min(sent, bytes.count - start)
        start += fromBytes
        bodyStart += sent - fromBytes
        precondition(bodyStart <= body.count, "more sent than there was")
        if start == bytes.count {
            bytes.removeAll(keepingCapacity: bytes.capacity <= Self.largeBodyBytes)
            start = 0
        }
        if !body.isEmpty, bodyStart == body.count {
            body = []
            bodyStart = 0
        }
    }

    private mutating func mergeBody() {
        guard !body.isEmpty else { return }
        bytes.append(contentsOf: body[bodyStart...])
        body = []
        bodyStart = 0
    }
}
