import HTTP
import HTTPTypes

/// What a parser has made of a stream.
struct ParsedStream: Equatable {
    var requests: [ParsedRequest] = []
    var error: HTTPParseError?
    /// Whether it waits for the rest of a request.
    var isUnfinished = false

    /// Limits that a short input can reach.
    static let limits = {
        var limits = RequestParser.Configuration()
        limits.maximumTargetBytes = 64
        limits.maximumHeadBytes = 160
        limits.maximumFieldCount = 6
        limits.maximumBodyBytes = 96
        return limits
    }()

    /// Reads `bytes` in pieces of the sizes that `next` gives.
    init(_ bytes: [UInt8], next: () -> Int) {
        var parser = RequestParser(configuration: Self.limits)
        var start = 0
        while start < bytes.count, error == nil {
            let end = Swift.min(bytes.count, start + Swift.max(1, next()))
            // An allocation of its own: what is kept of it must have been copied.
            let piece = Array(bytes[start..<end])
            var offset = 0
            while offset < piece.count, error == nil {
                switch piece.withUnsafeBufferPointer({ parser.read($0, from: &offset) }) {
                case .needsMore, .head: break
                case .complete(let request): requests.append(request)
                case .invalid(let found): error = found
                }
            }
            start = end
        }
        isUnfinished = error == nil && parser.hasStarted
    }

    init(_ bytes: [UInt8]) { self.init(bytes) { bytes.count } }
}

extension FuzzTarget {
    /// A stream of requests: read alike however it is cut, and the same again when what was read is written out.
    static let request = FuzzTarget("request") { bytes in
        let whole = ParsedStream(bytes)
        var random = InputRandom(bytes)
        if ParsedStream(bytes, next: { 1 }) != whole { return "read otherwise byte by byte" }
        if ParsedStream(bytes, next: { .random(in: 1...12, using: &random) }) != whole {
            return "read otherwise in pieces"
        }
        if let error = whole.error, error.description.isEmpty || error.status.code < 400 { return "an error of no use" }
        for request in whole.requests {
            if let complaint = complaint(about: request) { return complaint }
            let written = ParsedStream(serialized(request))
            guard written.error == nil || written.error == .headTooLarge(maximum: ParsedStream.limits.maximumHeadBytes)
            else { return "not readable when written again: \(serialized(request).text.debugDescription)" }
            if written.error == nil, written.requests != [request] { return "another when written again" }
        }
        return nil
    }

    private static func complaint(about request: ParsedRequest) -> String? {
        let head = request.head
        if head.target.isEmpty || head.target.utf8.contains(where: { $0 <= 0x20 || $0 >= 0x7F }) {
            return "a bad target"
        }
        if let authority = head.authority, authority.utf8.contains(where: { $0 <= 0x20 || $0 >= 0x7F || $0 == 0x2F }) {
            return "a bad authority"
        }
        for field in head.fields where field.value.utf8.contains(where: { $0 < 0x20 && $0 != 0x09 || $0 == 0x7F }) {
            return "a control byte in a value"
        }
        if head.fields.count > ParsedStream.limits.maximumFieldCount { return "too many fields" }
        if request.body.count > ParsedStream.limits.maximumBodyBytes { return "too long a body" }
        switch head.framing {
        case .none: if !request.body.isEmpty { return "a body from nowhere" }
        case .length(let length): if request.body.count != length { return "a body of another length" }
        case .chunked: if head.version == .http10 { return "chunks in HTTP/1.0" }
        }
        return nil
    }

    /// The request as a plain client would write it.
    static func serialized(_ request: ParsedRequest) -> [UInt8] {
        let head = request.head
        var text = "\(head.method.rawValue) \(head.target) \(head.version == .http10 ? "HTTP/1.0" : "HTTP/1.1")\r\n"
        if let authority = head.authority { text += "Host: \(authority)\r\n" }
        for field in head.fields { text += "\(field.name.rawName): \(field.value)\r\n" }
        var bytes = Array("\(text)\r\n".utf8)
        guard head.framing == .chunked else { return bytes + request.body }
        for start in stride(from: 0, to: request.body.count, by: 7) {
            let data = request.body[start..<min(start + 7, request.body.count)]
            bytes += Array("\(String(data.count, radix: 16))\r\n".utf8) + data + Array("\r\n".utf8)
        }
        return bytes + Array("0\r\n\r\n".utf8)
    }
}
