import Checkpoints

/// Tells which models of a repository have changed, look by look.
///
/// A model is named once it has been the same in two looks in a row and is not as it was when it was last handled: what
/// is being copied changes from look to look, and is left alone. So one look acts on what an earlier one has seen.
struct ModelWatch {
    /// A model's directory: the files of each version.
    typealias Model = [Int: DirectoryState]

    private var handled: [String: Model] = [:]
    private var seen: [String: Model]?

    /// `name` has been loaded, or was tried to be, as it was in `model`.
    mutating func handle(_ name: String, as model: Model) { handled[name] = model.isEmpty ? nil : model }

    /// Takes a look at all models that there are.
    ///
    /// - Returns: the names of those that are to be handled now, in order; also of some that are no longer there.
    mutating func look(at models: [String: Model]) -> [String] {
        defer { seen = models }
        guard let seen else { return [] }
        return Set(models.keys).union(handled.keys).sorted().filter { name in
            models[name] != handled[name] && models[name] == seen[name]
        }
    }
}
