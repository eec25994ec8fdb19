import HTTP
import HTTPTypes

/// Who may, and for which pages.
extension Connection {
    func decision(_ endpoint: Router.Endpoint, _ head: RequestHead) -> AccessDecision {
        guard let authorizer = acceptor.listener.authorizer else { return .granted(keyName: nil) }
        return authorizer(AccessQuestion(access: endpoint.access, fields: head.fields, peer: peer))
    }

    /// What answers a request that its head alone condemns; nil for one that is let in, or leads nowhere.
    func refusal(_ head: RequestHead) -> (refusal: AccessRefusal, label: String, path: String)? {
        guard acceptor.listener.authorizer != nil, let target = try? RequestTarget(head.target),
            case .handler(let endpoint, let label, _) = acceptor.listener.router.match(head.method, target),
            case .refused(let refusal) = decision(endpoint, head)
        else { return nil }
        return (refusal, label, target.path)
    }

    func crossOriginFields(_ head: RequestHead) -> HTTPFields {
        acceptor.listener.crossOrigin?.fields(for: head.fields) ?? [:]
    }
}
