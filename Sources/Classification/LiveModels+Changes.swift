import Checkpoints
import Logging

// All of this runs on the queue.

extension LiveModels {
    /// Loads the models that are to be there from the start.
    ///
    /// - Throws: `ServiceStartError` where there is no model or the default is not among those to load; `CheckpointError`
    ///   for a name that is not there; and, for the default, whatever it cannot be loaded for. Of the others that is
    ///   only logged: they are no reason to serve nothing.
    func begin(_ repository: ModelRepository) throws {
        let settings = context.settings
        let contents = try repository.contents()
        for stray in contents.passedOver { logger.warning("\(stray)") }
        guard !contents.entries.isEmpty else { throw ServiceStartError.noModels(directory: repository.directory) }
        let models = contents.models
        for name in settings.loadModels + (settings.model.isEmpty ? [] : [settings.model]) where models[name] == nil {
            throw CheckpointError.unknownModel(name)
        }
        for name in policies.modelNames where models[name] == nil {
            // It may come later.
            let known = models.keys.sorted().joined(separator: ", ")
            logger.warning("modelVersions names '\(name)', and no model is called so; there is \(known)")
        }
        let names = models.keys.filter(isChosen).sorted()
        let defaultModel = settings.model.isEmpty ? names[0] : settings.model
        guard names.contains(defaultModel) else { throw ServiceStartError.defaultNotLoaded(defaultModel) }
        for name in [defaultModel] + names.filter({ $0 != defaultModel }) {
            let failures = settle(name, models[name] ?? [], isForced: false)
            if name == defaultModel, context.catalogue.runners[name] == nil, let failure = failures.first {
                throw failure.error
            }
        }
        context.updateCatalogue { $0.defaultModel = defaultModel }
    }

    func perform(_ change: ModelChange) -> ServiceFailure? {
        guard let repository else { return .notReady(reason: "loading") }
        if case .unload(let name) = change { return unload(name, from: repository) }
        let contents: ModelRepository.Contents
        do throws(CheckpointError) { contents = try repository.contents() } catch {
            return cannotLook("\(error)", change)
        }
        if case .load(let name) = change { return load(name, contents) }
        // A file system that is not mounted looks like this.
        guard !contents.entries.isEmpty || context.catalogue.runners.isEmpty else {
            return cannotLook("no model lies in \(repository.directory) any more; what is loaded stays", change)
        }
        state.complaint = ""
        return change == .look ? look(contents) : reload(contents)
    }

    /// Logs what is wrong with the whole repository: of looks that nobody has asked for, once.
    private func cannotLook(_ complaint: String, _ change: ModelChange) -> ServiceFailure {
        if change != .look || complaint != state.complaint {
            logger.error("cannot look for models", metadata: ["error": "\(complaint)"])
        }
        state.complaint = complaint
        return .loadFailed(reason: complaint)
    }

    /// Whether a model is to be loaded.
    private func isChosen(_ name: String) -> Bool {
        let list = context.settings.loadModels
        return state.choices[name] ?? (list.isEmpty || list.contains(name))
    }
}

// MARK: - Changes

extension LiveModels {
    private func load(_ name: String, _ contents: ModelRepository.Contents) -> ServiceFailure? {
        guard let entries = contents.models[name] else { return .unknownModel(name: name) }
        state.choices[name] = true
        return failure(settle(name, entries, isForced: true), of: name)
    }

    private func unload(_ name: String, from repository: ModelRepository) -> ServiceFailure? {
        let statuses = context.catalogue.statuses(of: name)
        // What is loaded can be unloaded, wherever its directory is.
        guard !statuses.isEmpty || (try? repository.contents())?.models[name] != nil else {
            return .unknownModel(name: name)
        }
        state.choices[name] = false
        for status in statuses { withdraw(name, status.version, reason: Self.reason(ofUnloaded: status)) }
        if name == context.catalogue.defaultModel {
            logger.warning("requests that name no model are refused", metadata: ["default_model": "\(name)"])
        }
        return nil
    }

    /// Keeps what was wrong with a version.
    private static func reason(ofUnloaded status: ModelStatus) -> String {
        let fault = status.reason.replacing(formerAnswers, with: "")
        if fault.isEmpty || fault.hasPrefix("unloaded") { return fault.isEmpty ? "unloaded" : fault }
        return "unloaded; " + fault
    }

    private static let formerAnswers = "; what was loaded before answers"

    private func reload(_ contents: ModelRepository.Contents) -> ServiceFailure? {
        for stray in contents.passedOver { logger.warning("\(stray)") }
        let models = contents.models
        var failures: [LoadFailure] = []
        let known = Set(models.keys).union(context.catalogue.statuses.map(\.name))
        for name in known.sorted() where isChosen(name) || models[name] == nil {
            failures += settle(name, models[name] ?? [], isForced: false)
        }
        return failure(failures, of: "")
    }

    private func look(_ contents: ModelRepository.Contents) -> ServiceFailure? {
        let models = contents.models
        let states = models.filter { isChosen($0.key) }.mapValues(ModelWatch.Model.init)
        for name in state.watch.look(at: states) where isChosen(name) {
            _ = settle(name, models[name] ?? [], isForced: false)
        }
        return nil
    }

    private func failure(_ failures: [LoadFailure], of name: String) -> ServiceFailure? {
        guard !failures.isEmpty else { return nil }
        let answering = context.catalogue.runners[name]?.map { String($0.model.version) } ?? []
        let rest = answering.isEmpty ? "" : "; version \(answering.joined(separator: ", ")) answers"
        return .loadFailed(reason: failures.map { "\($0)" }.joined(separator: "; ") + rest)
    }
}

// MARK: - One model

extension LiveModels {
    /// A version that could not be loaded.
    struct LoadFailure: CustomStringConvertible {
        let name: String
        let version: Int
        let error: any Error

        var description: String { "model '\(name)', version \(version): \(error)" }
    }

    /// Loads the versions of a model that its policy asks for and that are not loaded as they lie there, and lets the
    /// others go. Where not one is left, those that are loaded stay, unless the model is gone from the repository.
    ///
    /// - Parameter isForced: whether versions that have not changed are loaded, too.
    private func settle(_ name: String, _ entries: [ModelRepository.Entry], isForced: Bool) -> [LoadFailure] {
        let policy = policies[name]
        let byVersion = Dictionary(uniqueKeysWithValues: entries.map { ($0.version, $0) })
        state.watch.handle(name, as: ModelWatch.Model(entries))
        if !entries.isEmpty { _ = context.metrics.loadFailures.with(name) }
        var good: Set<Int> = []
        var failures: [LoadFailure] = []
        for version in policy.candidates(of: byVersion.keys) where !policy.isSatisfied(by: good.count) {
            let entry = byVersion[version]!
            let former = context.catalogue.loaded(name, version)
            if !isForced, let former, former.files == DirectoryState(of: entry.directory) {
                context.updateCatalogue { $0.remark(nil, on: name, version) }
                good.insert(version)
            } else if let failure = replace(former, with: entry) {
                failures.append(failure)
                if former != nil { good.insert(version) }
            } else {
                good.insert(version)
            }
        }
        for version in policy.namedVersions.subtracting(byVersion.keys).sorted() where !entries.isEmpty {
            let failure = LoadFailure(
                name: name, version: version, error: CheckpointError.unknownVersion(model: name, version: version))
            if !good.isEmpty { withdraw(name, version, reason: nil) }
            refuse(failure)
            failures.append(failure)
        }
        let judged = good.union(failures.map(\.version))
        for status in context.catalogue.statuses(of: name) where !judged.contains(status.version) {
            if status.runner == nil || !good.isEmpty || entries.isEmpty { withdraw(name, status.version, reason: nil) }
        }
        if entries.isEmpty { forget(name) }
        return failures
    }

    /// Loads a version and has it answer in the place of `former`, if it can be loaded.
    private func replace(_ former: ModelRunner?, with entry: ModelRepository.Entry) -> LoadFailure? {
        let (name, version) = (entry.name, entry.version)
        if former == nil {
            context.updateCatalogue { $0.remark(.init(state: .loading, reason: ""), on: name, version) }
        }
        // At the start it waits until the digests are computed.
        defer { if state.undigested == nil { FreeMemory.giveBack() } }
        do {
            publish(try loader.load(entry))
            return nil
        } catch {
            let failure = LoadFailure(name: name, version: version, error: error)
            refuse(failure)
            return failure
        }
    }

    private func publish(_ loaded: ModelLoader.Loaded) {
        let (runner, metrics) = (loaded.runner, context.metrics)
        let (name, version) = (runner.model.name, runner.model.version)
        if state.undigested == nil {
            runner.model.computeDigest(of: loaded.weights)
        } else {
            state.undigested?.append((runner.model, loaded.weights))
        }
        let former = context.updateCatalogue { $0.publish(runner) }
        former?.batcher.drain()
        metrics.queueDepth.with(name, String(version)) { [weak runner] in Double(runner?.batcher.placesInUse ?? 0) }
        metrics.ready.with(name, String(version)).set(1)
        runner.metrics.loadSeconds.set(loaded.seconds)
        logger.info(
            former == nil ? "loaded model" : "reloaded model",
            metadata: [
                "model": "\(name)", "version": "\(version)", "architecture": "\(runner.model.plan.architecture.name)",
                "milliseconds": .stringConvertible(Int((loaded.seconds * 1000).rounded())),
            ])
    }

    /// Says why a version was not loaded. What answers in its place goes on.
    private func refuse(_ failure: LoadFailure) {
        let (name, version) = (failure.name, failure.version)
        let isAnswering = context.catalogue.loaded(name, version) != nil
        let reason = "\(failure.error)" + (isAnswering ? Self.formerAnswers : "")
        context.updateCatalogue { $0.remark(.init(state: .unavailable, reason: reason), on: name, version) }
        if !isAnswering { context.metrics.ready.with(name, String(version)).set(0) }
        context.metrics.loadFailures.with(name).increment()
        logger.error(
            "cannot load model", metadata: ["model": "\(name)", "version": "\(version)", "error": "\(reason)"])
    }

    /// Has a version answer no more.
    ///
    /// - Parameter reason: what lists say of it; with nil they leave it out.
    private func withdraw(_ name: String, _ version: Int, reason: String?) {
        let former = context.updateCatalogue { catalogue in
            let former = catalogue.withdraw(name, version)
            if let reason { catalogue.remark(.init(state: .unavailable, reason: reason), on: name, version) }
            return former
        }
        context.metrics.ready.remove(name, String(version))
        guard let former else { return }
        former.batcher.drain()
        logger.info("unloaded model", metadata: ["model": "\(name)", "version": "\(version)"])
    }

    /// The model is gone from the repository.
    private func forget(_ name: String) {
        context.metrics.loadFailures.remove(name)
        if name == context.catalogue.defaultModel {
            logger.warning("requests that name no model are refused", metadata: ["default_model": "\(name)"])
        }
    }
}

extension ModelRepository.Contents {
    /// The versions of each model.
    var models: [String: [ModelRepository.Entry]] { Dictionary(grouping: entries, by: \.name) }
}

extension ModelWatch.Model {
    fileprivate init(_ entries: [ModelRepository.Entry]) {
        self.init(uniqueKeysWithValues: entries.map { ($0.version, DirectoryState(of: $0.directory)) })
    }
}
