import ArgumentParser
import Checkpoints
import Classification

extension Settings {
    /// The model that `model` names, or else the first by name, in its latest version, ready to compute.
    /// - Throws: `SettingsError`, `CheckpointError`, `KernelError`, `InferenceError`.
    func loadModel() throws -> ClassifierModel { try ClassifierModel(storedModel(), table: kernelTable()) }

    /// The same model's description and files.
    /// - Throws: `SettingsError`, `CheckpointError`.
    func storedModel() throws -> StoredModel {
        let directory = try modelsDirectory(executable: ConfigurationOptions.executable)
        let repository = ModelRepository(directory: directory, modelName: model)
        var name = model
        if name.isEmpty {
            guard let first = try repository.entries().first else {
                throw CheckpointError.repository(path: repository.directory, reason: "has no model")
            }
            name = first.name
        }
        return try repository.model(named: name)
    }
}
