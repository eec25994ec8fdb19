import HTTPTypes

/// Which pages of other origins a browser lets read the answers. Credentials that a browser adds by itself, such as
/// cookies, are never allowed: keys come in `Authorization`, which a page must set.
///
/// Source: Fetch (WHATWG) §3.2.
public struct CrossOriginPolicy: Sendable, Equatable {
    /// `scheme://host[:port]` as browsers send it; nil allows all.
    private let origins: Set<String>?
    private let requestFields: String
    private let exposedFields: String
    /// How long a browser may remember a preflight's answer: what browsers cap it at.
    private static let maximumAgeSeconds = "7200"

    /// - Parameters:
    ///   - allowed: origins, or `*` for all.
    ///   - requestFields: what pages may set.
    ///   - exposedFields: what pages may read.
    public init(allowed: [String], requestFields: [String], exposedFields: [String]) {
        origins = allowed.contains("*") ? nil : Set(allowed)
        self.requestFields = requestFields.joined(separator: ", ")
        self.exposedFields = exposedFields.joined(separator: ", ")
    }

    private func allows(_ origin: String) -> Bool { origins?.contains(origin) ?? true }

    /// What is added to the answer of any request with these fields.
    func fields(for request: HTTPFields) -> HTTPFields {
        var fields: HTTPFields = [:]
        // A cache must not give one origin what was answered to another.
        if origins != nil { fields[.vary] = "Origin" }
        guard let origin = request[.origin], allows(origin) else { return fields }
        fields[.accessControlAllowOrigin] = origins == nil ? "*" : origin
        fields[.accessControlExposeHeaders] = exposedFields
        return fields
    }

    /// What is further added where a browser asks, by OPTIONS, whether it may send a request of one of `methods`.
    func preflightFields(for request: HTTPFields, methods: String) -> HTTPFields {
        guard let origin = request[.origin], request[.accessControlRequestMethod] != nil, allows(origin) else {
            return [:]
        }
        return [
            .accessControlAllowMethods: methods,
            .accessControlAllowHeaders: requestFields,
            .accessControlMaxAge: Self.maximumAgeSeconds,
        ]
    }
}

extension CrossOriginPolicy {
    /// Whether `text` is `*`, or an origin as browsers send it.
    public static func isOrigin(_ text: String) -> Bool {
        if text == "*" { return true }
        guard let scheme = text.firstRange(of: "://"), scheme.lowerBound > text.startIndex else { return false }
        let host = text[scheme.upperBound...]
        return !host.isEmpty && text == text.lowercased()
            && host.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"/,*?#@\"".utf8.contains($0) }
    }
}
