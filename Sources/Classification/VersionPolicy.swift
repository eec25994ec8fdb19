/// Which of a model's versions are to be loaded.
enum VersionPolicy: Equatable, Sendable {
    /// The highest so many that can be loaded.
    case latest(Int)
    case all
    case named(Set<Int>)

    /// What `modelVersions` may hold, as the end of a sentence.
    static let allowed = "latest, latest:N, all or a version, each also as NAME=…, and one kind for a model"

    /// The versions that are to be tried, in this order, out of `versions`.
    func candidates(of versions: some Sequence<Int>) -> [Int] {
        let descending = versions.sorted(by: >)
        guard case .named(let chosen) = self else { return descending }
        return descending.filter(chosen.contains)
    }

    /// Whether no further candidate is wanted where `count` are loaded.
    func isSatisfied(by count: Int) -> Bool {
        if case .latest(let limit) = self { count >= limit } else { false }
    }

    /// The versions that are asked for by their number.
    var namedVersions: Set<Int> { if case .named(let versions) = self { versions } else { [] } }
}

/// The policies of all models: what `modelVersions` means.
struct VersionPolicies: Equatable, Sendable {
    private var general: VersionPolicy?
    private var byModel: [String: VersionPolicy] = [:]

    subscript(model: String) -> VersionPolicy { byModel[model] ?? general ?? .latest(1) }

    /// The models that have a policy of their own, in order.
    var modelNames: [String] { byModel.keys.sorted() }

    /// - Throws: `SettingsError.invalidValue` for the first element that is no policy, or contradicts another.
    init(_ settings: Settings) throws(SettingsError) {
        for element in settings.modelVersions {
            let parts = element.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let model = parts.count == 2 ? String(parts[0]) : nil
            let earlier = model.map { byModel[$0] } ?? general
            guard model != "", let policy = Self.policy(parts[parts.count - 1], added: earlier) else {
                throw .invalidValue(
                    key: "modelVersions", value: "'\(element)'", origin: settings.origin(of: "modelVersions"),
                    allowed: VersionPolicy.allowed)
            }
            if let model { byModel[model] = policy } else { general = policy }
        }
    }

    /// - Returns: nil where `text` is no policy or does not go with the one that was there.
    private static func policy(_ text: Substring, added earlier: VersionPolicy?) -> VersionPolicy? {
        if let version = Int(text), version > 0, String(version) == text {
            switch earlier {
            case nil: return .named([version])
            case .named(let others): return .named(others.union([version]))
            case .latest, .all: return nil
            }
        }
        guard earlier == nil else { return nil }
        if text == "all" { return .all }
        if text == "latest" { return .latest(1) }
        guard text.hasPrefix("latest:"), let count = Int(text.dropFirst("latest:".count)), count > 0 else { return nil }
        return .latest(count)
    }
}
