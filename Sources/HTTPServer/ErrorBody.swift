import HTTP
import HTTPTypes

/// What an error that the server answers itself is about.
public struct ErrorDescription: Sendable {
    public var status: HTTPResponse.Status
    public var title: String
    public var detail: String
    public var requestID: String
    /// As it was sent; empty where the request line could not be read.
    public var path: String

    public init(status: HTTPResponse.Status, title: String, detail: String, requestID: String, path: String) {
        self.status = status
        self.title = title
        self.detail = detail
        self.requestID = requestID
        self.path = path
    }
}

/// An error's title as a word for the records: `Bad Request` is `bad_request`.
public func recordWord(_ title: String) -> String { title.lowercased().replacing(" ", with: "_") }

/// Makes the body of an error's answer.
public typealias ErrorBody = @Sendable (ErrorDescription) -> (contentType: String, body: [UInt8])

/// `application/problem+json`. Source: RFC 9457 §3.
public let problemBody: ErrorBody = { error in
    var json = JSONWriter()
    json.object {
        $0.value("type", "about:blank")
        $0.value("title", error.title)
        $0.value("status", error.status.code)
        $0.value("detail", error.detail)
        $0.value("request_id", error.requestID)
    }
    return ("application/problem+json", json.bytes)
}
