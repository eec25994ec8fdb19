import HTTP
import HTTPTypes
import Parallelism

/// From a handler's answer, or the server's own, to bytes and records.
extension Connection {
    /// A request being answered.
    struct Exchange {
        var summary: RequestSummary
        var received: Instant
        var readDone: Instant
        /// Read of the request's body.
        var bodyBytes = 0
        /// Absent where the server answers itself.
        var pending: PendingAnswer?
    }

    func finish(_ answer: PendingAnswer.Answer, _ now: Instant) {
        switch answer {
        case .response(let response): finish(response, now)
        case .dropped:
            guard let summary = exchange?.summary else { preconditionFailure("nothing waits for an answer") }
            context.logger.error("a handler has let its request go without an answer: \(summary.label)")
            finish(errorResponse(.internalServerError, "The request was not answered.", summary), now)
        case .abandoned: close()
        }
    }

    /// Writes the answer to the request at hand.
    ///
    /// - Parameter recordedStatus: nil where it is the response's.
    func finish(_ response: Response, recordedStatus: HTTPResponse.Status? = nil, _ now: Instant) {
        guard let exchange = exchange.take() else { preconditionFailure("nothing waits for an answer") }
        let framing = state.answer(now: now, isDraining: context.isDraining)
        var stages: [Stage] = []
        stages.reserveCapacity(1 + response.stages.count)
        stages.append(Stage(name: "read", seconds: exchange.readDone.seconds(since: exchange.received)))
        stages.append(contentsOf: response.stages)
        let carriesBody = ResponseEncoder.carriesBody(response.status, framing: framing)
        var fields = response.fields
        if let further = exchange.summary.crossOriginFields { fields.append(contentsOf: further) }
        state.output.append { bytes in
            owner.encoder.appendHead(
                status: response.status, fields: fields, requestID: exchange.summary.requestID, stages: stages,
                bodyBytes: response.body.count, framing: framing, unixSeconds: owner.unixSeconds(), to: &bytes)
        }
        if carriesBody { state.output.append(body: response.body) }
        note(
            exchange, status: recordedStatus ?? response.status, reason: response.reason, stages: stages,
            bodyBytes: carriesBody ? response.body.count : 0, response.note)
    }

    /// Tells the records of an answer that has been written, or that nobody waits for any more.
    ///
    /// - Parameter bodyBytes: of the answer.
    func note(
        _ exchange: Exchange, status: HTTPResponse.Status, reason: String?, stages: [Stage] = [], bodyBytes: Int = 0,
        _ note: (any AnyObject & Sendable)? = nil
    ) {
        let summary = exchange.summary
        let isError = status.code >= 400
        context.noteAnswer(
            RequestRecord(
                route: summary.label, method: summary.method, status: status.code,
                reason: isError ? reason ?? recordWord(status.reasonPhrase) : nil,
                seconds: context.clock.now().seconds(since: exchange.received), stages: stages,
                requestID: summary.requestID, received: exchange.received, path: summary.path,
                origin: summary.origin,
                keyName: summary.keyName, traceParent: summary.traceParent, bodyBytes: exchange.bodyBytes,
                answerBytes: bodyBytes, note: note),
            wasStarted: exchange.pending != nil)
    }
}
