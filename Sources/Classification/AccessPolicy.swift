import HTTPServer
import HTTPTypes
import Parallelism
import Transport

/// The keys in force, which can be replaced.
final class KeyRing: Sendable {
    private let keys: Lock<APIKeys>

    init(_ keys: APIKeys) { self.keys = Lock(keys) }

    func replace(with keys: APIKeys) { self.keys.withLock { $0 = keys } }

    func entry(of key: some Sequence<UInt8>) -> APIKeys.Entry? { keys.withLock { $0 }.entry(of: key) }
}

/// Decides who may use which route.
struct AccessPolicy: Sendable {
    /// Nil where no keys are asked for.
    let keys: KeyRing?
    /// Whether requests have come to the admin address.
    let isAdminAddress: Bool

    func decide(_ question: AccessQuestion) -> AccessDecision {
        switch question.access {
        case .open: return .granted(keyName: nil)
        case .inference:
            guard let keys else { return .granted(keyName: nil) }
            return check(question.fields, for: .inference, keys)
        case .admin:
            if isLocal(question) { return .granted(keyName: nil) }
            if let keys { return check(question.fields, for: .admin, keys) }
            if isAdminAddress { return .granted(keyName: nil) }
            return .refused(
                AccessRefusal(
                    status: .forbidden,
                    detail: "Only clients on the server's own machine may do this, or those with an admin key."))
        }
    }

    /// From the same machine, as far as can be seen: what a proxy has passed on is somebody else's, and so is what a page
    /// has a browser send, whatever machine the browser runs on. Nothing that fields say makes a request a local one.
    private func isLocal(_ question: AccessQuestion) -> Bool {
        question.origin.peer?.isLoopback == true && !question.origin.isProxied
            && !Self.foreignFields.contains { question.fields[$0] != nil } && Self.isNoName(question.authority)
    }

    /// Whether a host is `localhost`, an address, or missing. A name may be one that a page's owner has had point here
    /// (DNS rebinding): to the browser the page and this server are then one, and it tells nothing of the page.
    private static func isNoName(_ authority: String?) -> Bool {
        guard let authority = authority?.utf8 else { return true }
        let isBracketed = authority.first == UInt8(ascii: "[")
        let end = authority.firstIndex(of: isBracketed ? UInt8(ascii: "]") : UInt8(ascii: ":"))
        guard let host = String(authority[..<(end ?? authority.endIndex)].dropFirst(isBracketed ? 1 : 0)) else {
            return false
        }
        return host.lowercased() == "localhost" || IPAddress(host) != nil
    }

    private static let foreignFields = ["Origin", "Sec-Fetch-Site", "Forwarded", "Via", "X-Forwarded-For", "X-Real-IP"]
        .map { HTTPField.Name($0)! }

    /// Source: RFC 6750 §2.1 and §3.
    private func check(_ fields: HTTPFields, for right: KeyRight, _ keys: KeyRing) -> AccessDecision {
        guard let key = Self.bearer(fields) else {
            return .refused(
                AccessRefusal(
                    status: .unauthorized, detail: "This needs a key: Authorization: Bearer KEY.",
                    fields: [.wwwAuthenticate: "Bearer realm=\"swiftlet\""]))
        }
        guard let entry = keys.entry(of: key) else {
            return .refused(
                AccessRefusal(
                    status: .unauthorized, detail: "The key is not known.",
                    fields: [.wwwAuthenticate: "Bearer realm=\"swiftlet\", error=\"invalid_token\""]))
        }
        guard entry.rights.contains(right) else {
            return .refused(
                AccessRefusal(
                    status: .forbidden, detail: "The key '\(entry.name)' lacks the right '\(right.rawValue)'.",
                    fields: [.wwwAuthenticate: "Bearer realm=\"swiftlet\", error=\"insufficient_scope\""],
                    keyName: entry.name))
        }
        return .granted(keyName: entry.name)
    }

    /// The key in `Authorization`, whose scheme is not case-sensitive.
    private static func bearer(_ fields: HTTPFields) -> Substring.UTF8View? {
        guard let value = fields[.authorization] else { return nil }
        let words = value.split(separator: " ", omittingEmptySubsequences: true)
        guard words.count == 2, words[0].lowercased() == "bearer" else { return nil }
        return words[1].utf8
    }
}
