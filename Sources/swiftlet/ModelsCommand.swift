import ArgumentParser
import Checkpoints
import Classification
import Tensors

struct ModelsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "models",
        abstract: "Lists the models of the repository.",
        discussion: """
            A model is a directory <name>/<version>/ with model.json, weights and labels. A model that cannot be read \
            is named on standard error, and the exit code is then 1.
            """)

    struct Repository: SettingsOptions {
        @Option(help: ArgumentHelp("The directory of the repository.", valueName: "dir")) var models: String?
    }

    @OptionGroup var repository: Repository
    @OptionGroup var configuration: ConfigurationOptions
    @Option(help: OutputFormat.help) var format = OutputFormat.table

    func run() throws {
        let settings = try configuration.settings(repository)
        let directory = try settings.modelsDirectory(executable: ConfigurationOptions.executable)
        var models: [StoredModel] = []
        var hasFailures = false
        let contents = try ModelRepository(directory: directory, modelName: settings.model).contents()
        for stray in contents.passedOver { StandardStream.complain("warning: \(stray)") }
        for entry in contents.entries {
            do throws(CheckpointError) {
                let model = try StoredModel(entry)
                models.append(model)
                if let fault = model.weightsFault {
                    StandardStream.complain("\(fault)")
                    hasFailures = true
                }
            } catch {
                StandardStream.complain("\(error)")
                hasFailures = true
            }
        }
        try StandardStream.output.write(Self.text(models, directory: directory, format))
        if hasFailures { throw ExitCode.failure }
    }

    static func text(_ models: [StoredModel], directory: String, _ format: OutputFormat) throws -> String {
        switch format {
        case .json: return try JSONText.pretty(Report(directory: directory, models: models.map(Report.Model.init)))
        case .table:
            var table = TextTable([
                ("NAME", .left), ("VERSION", .right), ("ARCHITECTURE", .left), ("INPUT", .right), ("PRECISION", .left),
                ("WEIGHTS", .right), ("LICENCE", .left), ("DESCRIPTION", .left),
            ])
            for model in models {
                let about = model.description
                table.add([
                    model.name, "\(model.version)", about.architecture, "\(about.inputSize)", about.precision.rawValue,
                    model.weightsBytes.map(NumberText.mebibytes) ?? "missing", about.licence ?? "",
                    about.summary ?? "",
                ])
            }
            return table.text
        }
    }

    private struct Report: Encodable {
        struct Model: Encodable {
            let name: String
            let version: Int
            let architecture: String
            /// Nil where the description leaves it to be recognised.
            let dialect: String?
            let inputSize, resize: Int
            let filter, precision: String
            let licence, description: String?
            /// Nil where the file is missing.
            let weightsBytes: Int?

            init(_ model: StoredModel) {
                let about = model.description
                (name, version) = (model.name, model.version)
                (architecture, dialect) = (about.architecture, about.dialect?.rawValue)
                (inputSize, resize) = (about.inputSize, about.resize)
                (filter, precision) = (about.filter.rawValue, about.precision.rawValue)
                (licence, description) = (about.licence, about.summary)
                weightsBytes = model.weightsBytes
            }
        }

        let directory: String
        let models: [Model]
    }
}

extension StoredModel {
    /// The size of the weights' file; nil where it cannot be read.
    fileprivate var weightsBytes: Int? { try? MappedFile(path: weightsPath).count }

    /// Why the weights' file cannot be read.
    fileprivate var weightsFault: TensorFileError? {
        do throws(TensorFileError) { _ = try MappedFile(path: weightsPath) } catch { return error }
        return nil
    }
}
