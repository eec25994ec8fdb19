import FoundationEssentials
import Parallelism
import Transport

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Posts bodies to a collector, one connection each. Blocks: for a thread that may.
struct CollectorClient: Sendable {
    let endpoint: CollectorEndpoint
    /// For all of one exchange but resolving the name.
    var timeoutNanoseconds: Int64 = 5_000_000_000

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
        do throws(SocketError) { answer = try exchange(body) } catch { return .postponed(reason: "\(error)") }
        guard let head = HeadOfAnswer(answer) else { return .postponed(reason: "the answer is no HTTP") }
        switch head.status {
        case 200..<300: return .accepted(rejectedSpans: Self.rejectedSpans(answer[head.bodyStart...]))
        case 429, 502, 503, 504: return .postponed(reason: "status \(head.status)")
        default: return .refused(reason: "status \(head.status)")
        }
    }

    private func exchange(_ body: [UInt8]) throws(SocketError) -> [UInt8] {
        let deadline = MonotonicClock().now().advanced(byNanoseconds: timeoutNanoseconds)
        let socket = try Socket.connected(host: endpoint.host, port: endpoint.port, by: deadline)
        let head = """
            POST \(endpoint.path) HTTP/1.1\r
            Host: \(endpoint.authority)\r
            User-Agent: swiftlet\r
            Content-Type: application/json\r
            Content-Length: \(body.count)\r
            Connection: close\r
            \r

            """
        try Self.send(Array(head.utf8) + body, on: socket, by: deadline)
        return try Self.receive(from: socket, by: deadline)
    }

    private static func send(_ bytes: [UInt8], on socket: borrowing Socket, by deadline: Instant) throws(SocketError) {
        var sent = 0
        while sent < bytes.count {
            let result = bytes.withUnsafeBytes { socket.send(UnsafeRawBufferPointer(rebasing: $0[sent...])) }
            switch result {
            case .bytes(let count): sent += count
            case .wouldBlock:
                guard socket.wait(until: .writable, by: deadline) else { throw timeout(.send) }
            case .failed(let error): throw error
            }
        }
    }

    /// The answer up to its end as its length tells it, or the stream's.
    private static func receive(from socket: borrowing Socket, by deadline: Instant) throws(SocketError) -> [UInt8] {
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while answer.count < maximumAnswerBytes {
            if let end = HeadOfAnswer(answer)?.end, answer.count >= end { break }
            switch buffer.withUnsafeMutableBytes({ socket.receive(into: $0) }) {
            case .bytes(let count): answer += buffer[..<count]
            case .endOfStream: return answer
            case .wouldBlock:
                guard socket.wait(until: .readable, by: deadline) else { throw timeout(.receive) }
            case .failed(let error): throw error
            }
        }
        return answer
    }

    private static let maximumAnswerBytes = 64 << 10

    private static func timeout(_ operation: SocketError.Operation) -> SocketError {
        SocketError(operation: operation, code: ETIMEDOUT)
    }

    /// What `partialSuccess` says; a number or, as the protocol has it, text.
    private static func rejectedSpans(_ body: ArraySlice<UInt8>) -> Int {
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

/// The head of an HTTP answer, as far as it matters here.
private struct HeadOfAnswer {
    let status: Int
    let bodyStart: Int
    /// Where the body ends; nil where its length is not told.
    let end: Int?

    /// - Returns: nil where the head has not come to its end, or is none.
    init?(_ bytes: [UInt8]) {
        let blank = Array("\r\n\r\n".utf8)
        guard let start = bytes.firstRange(of: blank)?.upperBound else { return nil }
        let lines = String(decoding: bytes[..<start], as: UTF8.self).split(whereSeparator: \.isNewline)
        let words = lines.first?.split(separator: " ") ?? []
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]) else { return nil }
        self.status = status
        bodyStart = start
        let lengths = lines.dropFirst().compactMap { line -> Int? in
            let pair = line.split(separator: ":", maxSplits: 1)
            guard pair.count == 2, pair[0].lowercased() == "content-length" else { return nil }
            return Int(pair[1].filter { $0 != " " && $0 != "\t" })
        }
        end = lengths.first.flatMap { $0 >= 0 && $0 < 1 << 30 ? start + $0 : nil }
    }
}
