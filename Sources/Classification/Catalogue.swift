/// The models that answer, and what there is to say of those that do not.
struct Catalogue: Sendable {
    /// By name, then by version in ascending order; no list is empty.
    private(set) var runners: [String: [ModelRunner]] = [:]
    /// The model that answers where a request names none; nil before the start. It may have been unloaded.
    var defaultModel: String?
    /// By name and version. Of a version that answers: what went wrong when it was to be replaced.
    private(set) var remarks: [String: [Int: Remark]] = [:]

    struct Remark: Equatable, Sendable {
        /// Of a version that no runner is there for.
        var state: ModelState
        var reason: String
    }

    var all: [ModelRunner] { runners.keys.sorted().flatMap { runners[$0]! } }

    /// The model that a request means: the default without a name, the latest without a version.
    func runner(model name: String?, version: Int?) throws(ServiceFailure) -> ModelRunner {
        let versions = try versions(of: name)
        guard let version else { return versions.last! }
        guard let runner = versions.first(where: { $0.model.version == version }) else {
            let name = versions[0].model.name
            throw remarks[name]?[version] == nil
                ? .unknownVersion(model: name, version: version) : .notLoaded(model: name, version: version)
        }
        return runner
    }

    /// The versions of a model, or of the default without a name, in ascending order; never empty.
    func versions(of name: String?) throws(ServiceFailure) -> [ModelRunner] {
        guard let defaultModel else { throw .notReady(reason: "no model is loaded yet") }
        if let versions = runners[name ?? defaultModel] { return versions }
        guard let name else { throw .defaultNotLoaded(model: defaultModel) }
        throw remarks[name] == nil ? .unknownModel(name: name) : .notLoaded(model: name, version: nil)
    }

    /// The version of a model that answers, if it does.
    func loaded(_ name: String, _ version: Int) -> ModelRunner? {
        runners[name]?.first { $0.model.version == version }
    }
}

// MARK: - Changes

extension Catalogue {
    /// Has `runner` answer from now on.
    ///
    /// - Returns: the one that answered in its place, which the caller lets go outside of any lock.
    mutating func publish(_ runner: ModelRunner) -> ModelRunner? {
        let (name, version) = (runner.model.name, runner.model.version)
        let former = withdraw(name, version)
        var versions = runners[name] ?? []
        versions.insert(runner, at: versions.firstIndex { $0.model.version > version } ?? versions.count)
        runners[name] = versions
        return former
    }

    /// Has a version answer no more, and says nothing of it.
    ///
    /// - Returns: the one that answered.
    mutating func withdraw(_ name: String, _ version: Int) -> ModelRunner? {
        remark(nil, on: name, version)
        guard let index = runners[name]?.firstIndex(where: { $0.model.version == version }) else { return nil }
        let former = runners[name]!.remove(at: index)
        if runners[name]!.isEmpty { runners[name] = nil }
        return former
    }

    /// Says `remark` of a version, or nothing.
    mutating func remark(_ remark: Remark?, on name: String, _ version: Int) {
        remarks[name, default: [:]][version] = remark
        if remarks[name]!.isEmpty { remarks[name] = nil }
    }
}

// MARK: - States

/// How a version is, in the words of the Open Inference Protocol's repository extension.
enum ModelState: String, Sendable {
    case ready = "READY"
    case loading = "LOADING"
    case unavailable = "UNAVAILABLE"
}

/// One version of a model, as lists show it.
struct ModelStatus: Sendable {
    var name: String
    var version: Int
    var state: ModelState
    /// Empty where there is nothing to say.
    var reason: String
    /// Of one that answers.
    var runner: ModelRunner?
}

extension Catalogue {
    /// Every version that answers or that there is something to say of, by name, then by version.
    var statuses: [ModelStatus] {
        Set(runners.keys).union(remarks.keys).sorted().flatMap { statuses(of: $0) }
    }

    /// The versions of one model, in ascending order; empty for one that nothing is known of.
    func statuses(of name: String) -> [ModelStatus] {
        let loaded = (runners[name] ?? []).map { runner in
            ModelStatus(
                name: name, version: runner.model.version, state: .ready,
                reason: remarks[name]?[runner.model.version]?.reason ?? "", runner: runner)
        }
        let others = (remarks[name] ?? [:]).filter { self.loaded(name, $0.key) == nil }.map { version, remark in
            ModelStatus(name: name, version: version, state: remark.state, reason: remark.reason)
        }
        return (loaded + others).sorted { $0.version < $1.version }
    }
}
