import Testing

@testable import HTTP

/// Reads a stream of requests in every way that the network may cut it.
enum DecoderVerifier {
    enum Outcome: Equatable {
        case requests([ParsedRequest])
        case invalid(HTTPParseError, after: [ParsedRequest])
        case needsMore(after: [ParsedRequest])
    }

    /// Reads `bytes` in chunks of the sizes that `next` gives.
    static func read(
        _ bytes: [UInt8], configuration: RequestParser.Configuration, next: () -> Int
    ) -> Outcome {
        var parser = RequestParser(configuration: configuration)
        var requests: [ParsedRequest] = []
        var start = 0
        while start < bytes.count {
            let end = min(bytes.count, start + max(1, next()))
            // An allocation of its own for each chunk: what is kept of it must have been copied.
            let chunk = Array(bytes[start..<end])
            var offset = 0
            while offset < chunk.count {
                switch chunk.withUnsafeBufferPointer({ parser.read($0, from: &offset) }) {
                case .needsMore:
                    #expect(offset == chunk.count)
                case .head: continue
                case .complete(let request): requests.append(request)
                case .invalid(let error): return .invalid(error, after: requests)
                }
            }
            start = end
        }
        return parser.hasStarted ? .needsMore(after: requests) : .requests(requests)
    }

    /// The outcome, the same for the whole, for single bytes, for two pieces cut anywhere and for random pieces.
    static func verify(
        _ bytes: [UInt8], configuration: RequestParser.Configuration = .init(),
        sourceLocation: SourceLocation = #_sourceLocation
    ) -> Outcome {
        let whole = read(bytes, configuration: configuration) { bytes.count }
        #expect(
            read(bytes, configuration: configuration) { 1 } == whole, "byte by byte", sourceLocation: sourceLocation)
        for cut in stride(from: 1, to: bytes.count, by: max(1, bytes.count / 300)) {
            var sizes = [bytes.count, cut]
            #expect(
                read(bytes, configuration: configuration) { sizes.popLast() ?? 1 } == whole, "cut at \(cut)",
                sourceLocation: sourceLocation)
        }
        return whole
    }

    static func verify(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) -> Outcome {
        verify(Array(text.utf8), sourceLocation: sourceLocation)
    }
}
