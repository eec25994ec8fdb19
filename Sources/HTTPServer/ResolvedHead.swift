import HTTPTypes

/// What a request's answer and its record say of it, whoever answers.
struct RequestSummary {
    /// The route's label.
    var label: String
    var method: HTTPRequest.Method
    /// As it was sent, without the query, also where it cannot be decoded. Empty where the request line was not read.
    var path: String
    var requestID: String
    /// For pages of other origins; nil where none are let in.
    var crossOriginFields: HTTPFields?
    var origin: RequestOrigin
    /// The field `traceparent`, whatever it holds.
    var traceParent: String?
    /// The name of the key that let it in, where one was needed.
    var keyName: String?
}

/// What a request's head leads to: found out once, for letting its body in and for answering it alike.
struct ResolvedHead {
    enum Destination {
        /// Who answers the request, which lacks its body.
        case handler(Handler, Request)
        /// What is answered from the head alone: nobody would read a body.
        case answer(Response)
    }

    var summary: RequestSummary
    var destination: Destination

    /// Whether a body is to be read.
    var isAdmitted: Bool {
        switch destination {
        case .handler: true
        case .answer: false
        }
    }
}
