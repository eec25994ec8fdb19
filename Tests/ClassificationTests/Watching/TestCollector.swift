import Dispatch
import FoundationEssentials
import Parallelism
import TestSupport

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A collector of spans on loopback, with none of the code under test.
final class TestCollector: @unchecked Sendable {  // `descriptor` is not changed
    struct Export: Decodable {
        struct ResourceSpans: Decodable {
            struct Resource: Decodable { var attributes: [Attribute] }
            struct ScopeSpans: Decodable { var spans: [Span] }

            var resource: Resource
            var scopeSpans: [ScopeSpans]
        }

        var resourceSpans: [ResourceSpans]
    }

    struct Attribute: Decodable {
        struct Value: Decodable { var stringValue, intValue: String? }

        var key: String
        var value: Value
    }

    struct Span: Decodable {
        struct Status: Decodable { var code: Int? }

        var traceId, spanId, name, startTimeUnixNano, endTimeUnixNano: String
        var parentSpanId: String?
        var kind: Int
        var attributes: [Attribute]?
        var status: Status?

        var start: Int { Int(startTimeUnixNano) ?? -1 }
        var end: Int { Int(endTimeUnixNano) ?? -1 }

        subscript(key: String) -> String? {
            let value = attributes?.first { $0.key == key }?.value
            return value?.stringValue ?? value?.intValue
        }
    }

    private let descriptor: Int32
    let port: Int
    private let queue = DispatchQueue(label: "test.collector")
    private let state: Lock<(heads: [String], bodies: [[UInt8]], statuses: [Int])>
    private let answer: String
    /// Sent as it is; the connection stays open until the client leaves.
    private let rawAnswer: String?

    /// - Parameters:
    ///   - statuses: of the first answers; then 200.
    ///   - answer: the body of each answer.
    ///   - rawAnswer: head and body of each, instead.
    init(statuses: [Int] = [], answer: String = "{}", rawAnswer: String? = nil) {
        self.answer = answer
        self.rawAnswer = rawAnswer
        state = Lock(([], [], statuses))
        guard let (descriptor, port) = try? ClosedPort.bound(), listen(descriptor, 16) == 0 else {
            preconditionFailure("the collector cannot listen: \(errno)")
        }
        self.descriptor = descriptor
        self.port = port
        queue.async { [weak self] in
            while true {
                let connection = accept(descriptor, nil, nil)
                guard connection >= 0 else { break }
                self?.serve(connection)
                close(connection)
            }
            // Here alone: accept() on a number that is another's by now would take its connections.
            close(descriptor)
        }
    }

    /// Ends the loop, which has no reference to this between two connections.
    deinit { shutdown(descriptor, Int32(SHUT_RDWR)) }

    private func serve(_ connection: Int32) {
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            if let end = bytes.firstRange(of: Array("\r\n\r\n".utf8))?.upperBound {
                let head = String(decoding: bytes[..<end], as: UTF8.self)
                let length = head.split(separator: "\r\n").first { $0.hasPrefix("Content-Length: ") }
                    .flatMap { Int($0.dropFirst("Content-Length: ".count)) }
                if let length, bytes.count >= end + length {
                    return reply(connection, head, Array(bytes[end...]))
                }
            }
            let count = recv(connection, &buffer, buffer.count, 0)
            guard count > 0 else { return }
            bytes += buffer[..<count]
        }
    }

    private func reply(_ connection: Int32, _ head: String, _ body: [UInt8]) {
        let status = state.withLock { state in
            state.heads.append(head)
            let status = state.statuses.isEmpty ? 200 : state.statuses.removeFirst()
            if status == 200 { state.bodies.append(body) }
            return status
        }
        let text =
            "HTTP/1.1 \(status) X\r\nContent-Type: application/json\r\nContent-Length: \(answer.utf8.count)\r\n\r\n"
        let bytes = Array((rawAnswer ?? text + answer).utf8)
        _ = bytes.withUnsafeBytes { send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        guard rawAnswer != nil else { return }
        var byte: UInt8 = 0
        _ = recv(connection, &byte, 1, 0)
    }

    var endpoint: String { "http://127.0.0.1:\(port)/v1/traces" }

    /// The heads of all requests.
    var heads: [String] { state.withLock { $0.heads } }

    /// What was in the bodies that were answered with 200.
    func exports() throws -> [Export] { try state.withLock { $0.bodies }.map { try decodeJSON(Export.self, $0) } }

    func spans() throws -> [Span] { try exports().flatMap(\.resourceSpans).flatMap(\.scopeSpans).flatMap(\.spans) }
}
