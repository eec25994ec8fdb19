import Checkpoints
import Dispatch
import Kernels
import Logging
import Parallelism
import Tensors

/// What is loaded, and how that changes: one change at a time, on a queue of its own.
///
/// A new runner is loaded and warmed up beside the old one, then takes its place in the catalogue at once. Requests that
/// have the old one finish on it, and the last of them lets it go. A version that cannot be loaded changes nothing but
/// what is said of it.
///
/// Concurrency: every method may be called from any thread.
final class LiveModels: Sendable {
    /// Told when the change is done, or why it is not.
    typealias Waiter = @Sendable (ServiceFailure?) -> Void

    /// Changes that may wait. More of them at a time are a mistake of whoever sends them.
    private static let lineCapacity = 256

    let context: ServiceContext
    let logger: Logger
    let policies: VersionPolicies
    let loader: ModelLoader
    private let queue: DispatchQueue
    private let line = Lock(ChangeLine<Waiter>(capacity: lineCapacity))
    private let place = Lock<ModelRepository?>(nil)
    nonisolated(unsafe) var state = State()  // touched on `queue` alone

    struct State {
        /// By name, what load and unload have said: loaded although `loadModels` has it not, or the reverse.
        var choices: [String: Bool] = [:]
        var watch = ModelWatch()
        /// What was wrong with the whole repository at the last look, to be said once.
        var complaint = ""
        /// Models loaded at the start, whose digest is no reason to be late.
        var undigested: [(model: ClassifierModel, weights: MappedFile)]? = []
    }

    /// - Throws: `SettingsError` where `modelVersions` is no policy.
    init(_ context: ServiceContext, table: KernelTable, logger: Logger) throws(SettingsError) {
        self.context = context
        self.logger = logger
        policies = try VersionPolicies(context.settings)
        let queue = DispatchQueue(label: "swiftlet.models")
        self.queue = queue
        loader = ModelLoader(context: context, table: table) { [weak context] name, version in
            queue.async { [weak context] in
                if let context, context.catalogue.loaded(name, version) == nil {
                    context.metrics.remove(model: name, version: String(version))
                }
                FreeMemory.giveBack()
            }
        }
    }

    /// Where the models lie; nil before the start.
    var repository: ModelRepository? { place.withLock { $0 } }

    /// Asks for a change.
    ///
    /// - Parameter waiter: told once, on any thread.
    func request(_ change: ModelChange, _ waiter: @escaping Waiter = { _ in }) {
        let (entry, isClosed) = line.withLock { ($0.append(change, waiter), $0.isClosed) }
        switch entry {
        case .begins: queue.async { [self] in performNext() }
        case .joins: break
        case .isRefused: waiter(isClosed ? .draining : .notReady(reason: "too many changes of models wait"))
        }
    }

    /// Takes no more changes. One that has begun is finished.
    func close() {
        for waiter in line.withLock({ $0.close() }) { waiter(.draining) }
    }

    private func performNext() {
        dispatchPrecondition(condition: .onQueue(queue))
        guard let (change, waiters) = line.withLock({ $0.popFirst() }) else { return }
        let failure = perform(change)
        for waiter in waiters { waiter(failure) }
    }

    /// Loads what is to be there from the start, the default first, and computes the digests once that is done.
    /// - Throws: what `begin` throws.
    func start(_ repository: ModelRepository) throws {
        try queue.sync {
            try begin(repository)
            place.withLock { $0 = repository }
        }
        queue.async { [self] in
            for (model, weights) in state.undigested ?? [] { model.computeDigest(of: weights) }
            state.undigested = nil
            FreeMemory.giveBack()
        }
        armWatch()
    }

    private func armWatch() {
        let seconds = context.settings.modelPollSeconds
        guard seconds > 0, !line.withLock({ $0.isClosed }) else { return }
        queue.asyncAfter(deadline: .now() + .seconds(seconds)) { [weak self] in
            self?.request(.look)
            self?.armWatch()
        }
    }
}
