import FoundationEssentials
import HTTP
import Parallelism
import Transport

/// Posts bodies to a collector, one connection each. Blocks: for a thread that may.
struct CollectorClient: Sendable {
    let endpoint: CollectorEndpoint
    /// For all of one exchange but resolving the name.
    var timeoutNanoseconds: Int64 = 5_000_000_000
    /// Of that, for the body of an answer whose head is there.
    var bodyTimeoutNanoseconds: Int64 = 250_000_000

    /// What came of a body.
    enum Outcome: Equatable, Sendable {
        /// All but so many spans have been taken.
        case accepted(rejectedSpans: Int)
        /// It was not taken now, and may be later.
        case postponed(reason: String)
        /// It will never be taken.
        case refused(reason: String)
    }

    /// Source: OpenTelemetry Protocol, "OTLP/HTTP response".
    func post(_ body: [UInt8]) -> Outcome {
        let answer: [UInt8]
        do throws(StreamFailure) { answer = try exchange(body) } catch { return .postponed(reason: "\(error)") }
        guard let head = HeadOfAnswer(answer) else { return .postponed(reason: "the answer is no HTTP") }
        switch head.status {
        case 200..<300: return .accepted(rejectedSpans: Self.rejectedSpans(head.body(of: answer).bytes))
        case 429, 502, 503, 504: return .postponed(reason: "status \(head.status)")
        default: return .refused(reason: "status \(head.status)")
        }
    }

    private func exchange(_ body: [UInt8]) throws(StreamFailure) -> [UInt8] {
        let deadline = MonotonicClock().now().advanced(byNanoseconds: timeoutNanoseconds)
        let stream = try ClientStream(host: endpoint.host, port: endpoint.port, tls: nil, by: deadline)
        let head = """
            POST \(endpoint.path) HTTP/1.1\r
            Host: \(endpoint.authority)\r
            User-Agent: swiftlet\r
            Content-Type: application/json\r
            Content-Length: \(body.count)\r
            Connection: close\r
            \r

            """
        try stream.send(Array(head.utf8) + body)
        return try receive(from: stream, by: deadline)
    }

    /// The answer up to its end as its head tells it, or the stream's. Once the head is there, nothing fails: it says what
    /// has become of the spans, and the body only adds to a success.
    private func receive(from stream: borrowing ClientStream, by deadline: Instant) throws(StreamFailure) -> [UInt8] {
        var answer: [UInt8] = []
        var limit = deadline
        var hasHead = false
        while answer.count < Self.maximumAnswerBytes {
            if let head = HeadOfAnswer(answer) {
                guard 200..<300 ~= head.status, !head.body(of: answer).isComplete else { break }
                if !hasHead {
                    let bodyLimit = MonotonicClock().now().advanced(byNanoseconds: bodyTimeoutNanoseconds)
                    if bodyLimit.nanoseconds(since: deadline) < 0 { limit = bodyLimit }
                    hasHead = true
                }
            }
            do throws(StreamFailure) {
                guard let piece = try stream.receive(by: limit) else { break }
                answer += piece
            } catch {
                guard hasHead else { throw error }
                break
            }
        }
        return answer
    }

    private static let maximumAnswerBytes = 64 << 10

    /// What `partialSuccess` says; a number or, as the protocol has it, text.
    private static func rejectedSpans(_ body: [UInt8]) -> Int {
        struct Answer: Decodable {
            struct PartialSuccess: Decodable {
                var rejectedSpans = 0

                enum CodingKeys: String, CodingKey { case rejectedSpans }

                init(from decoder: any Decoder) throws {
                    let container = try decoder.container(keyedBy: CodingKeys.self)
                    guard container.contains(.rejectedSpans) else { return }
                    if let number = try? container.decode(Int.self, forKey: .rejectedSpans) {
                        rejectedSpans = number
                    } else {
                        rejectedSpans = Int(try container.decode(String.self, forKey: .rejectedSpans)) ?? 0
                    }
                }
            }

            var partialSuccess: PartialSuccess?
        }
        // A collector that answers something else has taken them all the same.
        let answer = try? JSONDecoder().decode(Answer.self, from: Data(body))
        return max(0, answer?.partialSuccess?.rejectedSpans ?? 0)
    }
}

/// The head of an HTTP answer, as far as it matters here. Interim answers are passed over.
private struct HeadOfAnswer {
    private enum Framing {
        /// Units: bytes.
        case length(Int)
        case chunked
        case untilEndOfStream
    }

    let status: Int
    private let bodyStart: Int
    private let framing: Framing

    /// - Returns: nil where the head has not come to its end, or is none.
    init?(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while true {
            guard let end = rest.firstRange(of: Self.blankLine)?.upperBound else { return nil }
            let text = String(decoding: rest[..<end], as: UTF8.self)
            let lines = text.split(whereSeparator: { $0.isNewline })
            guard let first = lines.first, let status = StatusLine.status(first) else { return nil }
            rest = rest[end...]
            if status < 200 { continue }
            self.status = status
            bodyStart = end
            framing = status == 204 || status == 304 ? .length(0) : Self.framing(Array(lines.dropFirst()))
            return
        }
    }

    private static let lineEnd: [UInt8] = [0x0D, 0x0A]
    private static let blankLine: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A]

    /// Source: RFC 9112, section 6.3.
    private static func framing(_ fields: [Substring]) -> Framing {
        var length: Int?
        for field in fields {
            let pair = field.split(separator: ":", maxSplits: 1)
            guard pair.count == 2 else { continue }
            let value = pair[1].filter { $0 != " " && $0 != "\t" }.lowercased()
            switch pair[0].lowercased() {
            case "transfer-encoding": return value.hasSuffix("chunked") ? .chunked : .untilEndOfStream
            case "content-length": length = length ?? Int(value)
            default: break
            }
        }
        guard let length, length >= 0, length < 1 << 30 else { return .untilEndOfStream }
        return .length(length)
    }

    /// The body as far as it has come, and whether that is all.
    func body(of answer: [UInt8]) -> (bytes: [UInt8], isComplete: Bool) {
        let rest = answer[bodyStart...]
        switch framing {
        case .length(let count): return (Array(rest.prefix(count)), rest.count >= count)
        case .untilEndOfStream: return (Array(rest), false)
        case .chunked: return Self.withoutChunks(rest)
        }
    }

    /// What is broken counts as the end.
    private static func withoutChunks(_ bytes: ArraySlice<UInt8>) -> (bytes: [UInt8], isComplete: Bool) {
        var rest = bytes
        var body: [UInt8] = []
        while let line = rest.firstRange(of: lineEnd) {
            let digits = rest[..<line.lowerBound].prefix { $0 != 0x3B && $0 != 0x20 && $0 != 0x09 }
            guard let size = Int(String(decoding: digits, as: UTF8.self), radix: 16), size > 0, size < 1 << 30 else {
                return (body, true)
            }
            let data = rest[line.upperBound...]
            body += data.prefix(size)
            guard data.count >= size + lineEnd.count else { break }
            rest = data.dropFirst(size + lineEnd.count)
        }
        return (body, false)
    }
}
