import HTTP
import HTTPTypes

/// What an error that the server answers itself is about.
public struct ErrorDescription: Sendable {
    public var status: HTTPResponse.Status
    public var title: String
    public var detail: String
    public var requestID: String
    /// Absent where the request line could not be read.
    public var path: String?

    public init(status: HTTPResponse.Status, title: String, detail: String, requestID: String, path: String?) {
        self.status = status
        self.title = title
        self.detail = detail
        self.requestID = requestID
        self.path = path
    }
}

/// Makes the body of an error's answer.
public typealias ErrorBody = @Sendable (ErrorDescription) -> (contentType: String, body: [UInt8])

/// `application/problem+json`. Source: RFC 9457 §3.
public let problemBody: ErrorBody = { error in
    var json: [UInt8] = Array("{\"type\":\"about:blank\",\"title\":".utf8)
    appendJSON(error.title, to: &json)
    json.append(contentsOf: ",\"status\":\(error.status.code),\"detail\":".utf8)
    appendJSON(error.detail, to: &json)
    json.append(contentsOf: ",\"request_id\":".utf8)
    appendJSON(error.requestID, to: &json)
    json.append(contentsOf: "}".utf8)
    return ("application/problem+json", json)
}

/// Source: RFC 8259 §7.
private func appendJSON(_ text: String, to json: inout [UInt8]) {
    let digits = Array("0123456789abcdef".utf8)
    json.append(0x22)
    for byte in text.utf8 {
        switch byte {
        case 0x22, 0x5C: json.append(contentsOf: [0x5C, byte])
        case 0..<0x20: json.append(contentsOf: "\\u00".utf8 + [digits[Int(byte >> 4)], digits[Int(byte & 15)]])
        default: json.append(byte)
        }
    }
    json.append(0x22)
}
