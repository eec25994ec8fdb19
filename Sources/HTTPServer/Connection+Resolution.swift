import HTTP
import HTTPTypes
import Parallelism

/// From a head to what it leads to. None of this touches `state`, which asks for it.
extension Connection {
    /// Matches, asks who may, and has the route look at what it lets in. To be called once for a request.
    ///
    /// - Parameter readDone: when the head had been read, and the body where there is none.
    func resolve(_ head: RequestHead, received: Instant, readDone: Instant) -> ResolvedHead {
        var summary = summary(of: head)
        let target: RequestTarget
        do throws(HTTPParseError) { target = try RequestTarget(head.target) } catch {
            context.noteRejection(.malformed(error))
            return ResolvedHead(
                summary: summary, destination: .answer(errorResponse(error.status, error.description, summary)))
        }
        let match = acceptor.listener.router.match(head.method, target)
        summary.label = match.label
        guard case .handler(let endpoint, _, let parameters) = match else {
            return ResolvedHead(summary: summary, destination: .answer(answer(without: match, head, summary)))
        }
        let keyName: String?
        switch decision(endpoint, head, summary.origin) {
        case .granted(let name): keyName = name
        case .refused(let refusal):
            summary.keyName = refusal.keyName
            let response = errorResponse(refusal.status, refusal.detail, fields: refusal.fields, summary)
            return ResolvedHead(summary: summary, destination: .answer(response))
        }
        summary.keyName = keyName
        let request = Request(
            method: head.method, path: target.path, parameters: parameters, query: target.query, fields: head.fields,
            authority: head.authority, body: [], origin: summary.origin, keyName: keyName, received: received,
            readDone: readDone, id: summary.requestID)
        return ResolvedHead(summary: summary, destination: destination(endpoint, request, head.framing, summary))
    }

    /// What is known of a head that the parser has refused, or that was all that came.
    func summary(ofRefused head: RequestHead) -> RequestSummary {
        var summary = summary(of: head)
        // Where not even the request line was read there is no target, and no route.
        if !head.target.isEmpty, let target = try? RequestTarget(head.target) {
            summary.label = acceptor.listener.router.match(head.method, target).label
        }
        return summary
    }

    private func summary(of head: RequestHead) -> RequestSummary {
        RequestSummary(
            label: Router.unmatchedLabel, method: head.method, path: String(head.target.prefix { $0 != "?" }),
            requestID: owner.requestIDs.id(for: head.fields),
            crossOriginFields: acceptor.listener.crossOrigin?.fields(for: head.fields),
            origin: RequestOrigin(peer: peer, proxies: acceptor.listener.trustedProxies, fields: head.fields),
            traceParent: head.fields[Self.traceParent])
    }

    /// Source: W3C Trace Context, §3.2.
    private static let traceParent = HTTPField.Name("traceparent")!

    private func decision(_ endpoint: Router.Endpoint, _ head: RequestHead, _ origin: RequestOrigin) -> AccessDecision {
        guard let authorizer = acceptor.listener.authorizer else { return .granted(keyName: nil) }
        return authorizer(
            AccessQuestion(
                access: endpoint.access, fields: head.fields, authority: head.authority, origin: origin))
    }

    /// Who answers a request that may be made, or the refusal of its body.
    private func destination(
        _ endpoint: Router.Endpoint, _ request: Request, _ framing: BodyFraming, _ summary: RequestSummary
    ) -> ResolvedHead.Destination {
        var handler = endpoint.handler
        if !framing.fits(0), let admission = endpoint.admission {
            switch admission(request) {
            case .admitted(let informed): handler = informed ?? handler
            case .refused(let response): return .answer(response)
            }
        }
        if let limit = endpoint.maximumBodyBytes, !framing.fits(limit) {
            let rejection = ServerRejection.malformed(.bodyTooLarge(maximum: limit))
            context.noteRejection(rejection)
            let detail = "A body may have \(limit) bytes here, and must tell its length."
            var response = errorResponse(rejection.status, detail, summary)
            response.reason = rejection.reason
            return .answer(response)
        }
        return .handler(handler, request)
    }

    /// The answer to a request that leads to no handler.
    private func answer(without match: Router.Match, _ head: RequestHead, _ summary: RequestSummary) -> Response {
        switch match {
        case .handler: preconditionFailure("there is a handler")
        case .options(let allow, _):
            var response = Response(status: .noContent, fields: [.allow: allow])
            if let policy = acceptor.listener.crossOrigin {
                response.fields.append(contentsOf: policy.preflightFields(for: head.fields, methods: allow))
            }
            return response
        case .otherMethod(let allow, _):
            return errorResponse(
                .methodNotAllowed, "\(summary.path) allows \(allow).", fields: [.allow: allow], summary)
        case .unknownPath: return errorResponse(.notFound, "There is no \(summary.path).", summary)
        case .unknownMethod:
            return errorResponse(.notImplemented, "The method \(head.method) is not implemented.", summary)
        }
    }

    /// An error that the server answers itself.
    func errorResponse(
        _ status: HTTPResponse.Status, _ detail: String, fields: HTTPFields = [:], _ summary: RequestSummary
    ) -> Response {
        let (contentType, body) = context.errorBody(
            ErrorDescription(
                status: status, title: status.reasonPhrase, detail: detail, requestID: summary.requestID,
                path: summary.path))
        var response = Response(status: status, contentType: contentType, body: body)
        response.fields.append(contentsOf: fields)
        return response
    }
}
