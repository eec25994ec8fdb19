import FoundationEssentials
import HTTP
import HTTPTypes

@testable import HTTPServer

extension FuzzTarget {
    /// Answers that echo what was sent: the head has the lines that it was given and no other, an id is the client's or a
    /// made one, and a problem's JSON holds the very text.
    static let answer = FuzzTarget("answer", maximumBytes: 200) { bytes in
        let text = bytes.text
        var encoder = ResponseEncoder()
        var ids = RequestIDGenerator(seed: 1)
        let sent = HTTPField(name: RequestIDGenerator.fieldName, value: text)
        let id = ids.id(for: HTTPFields([sent]))
        if id != sent.value, id.utf8.count != 16 { return "an id that is neither the client's nor a made one" }
        let error = ErrorDescription(
            status: .badRequest, title: "Bad Request", detail: text, requestID: id, path: "")
        let (contentType, body) = problemBody(error)
        var head: [UInt8] = []
        encoder.appendHead(
            status: .badRequest, fields: [.contentType: contentType, .location: text], requestID: id, stages: [],
            bodyBytes: body.count, framing: ResponseFraming(version: .http11, isHead: false, keepsAlive: false),
            unixSeconds: 0, to: &head)
        let lines = head.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        // Status, Date, Content-Length, Connection, X-Request-Id, Content-Type, Location, the empty line and what is behind.
        if lines.count != 9 || !lines.dropLast().allSatisfy({ $0.last == UInt8(ascii: "\r") }) {
            return "a head that is split"
        }
        if lines.contains(where: { $0.dropLast().contains(UInt8(ascii: "\r")) }) { return "CR in a head" }
        struct Problem: Decodable {
            var detail: String
        }
        guard let problem = try? JSONDecoder().decode(Problem.self, from: Data(body)) else {
            return "a problem that is no JSON"
        }
        return Array(problem.detail.utf8) == Array(text.utf8) ? nil : "a problem with another text"
    }
}
