import HTTP
import HTTPTypes

/// Who may, and for which pages.
extension Connection {
    func decision(_ endpoint: Router.Endpoint, _ head: RequestHead) -> AccessDecision {
        guard let authorizer = acceptor.listener.authorizer else { return .granted(keyName: nil) }
        return authorizer(AccessQuestion(access: endpoint.access, fields: head.fields, peer: peer))
    }

    /// Nil where no pages of other origins are let in.
    func crossOriginFields(_ head: RequestHead) -> HTTPFields? {
        acceptor.listener.crossOrigin?.fields(for: head.fields)
    }
}
