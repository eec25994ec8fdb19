import ArgumentParser
import Checkpoints
import Classification
import FoundationEssentials

struct SelftestCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "selftest",
        abstract: "Checks that models compute on this machine what they should.",
        discussion: """
            Loads each model of the repository (or, with the flag --model, that one) as 'swiftlet serve' does, in its \
            highest version, and holds it to the \
            images and logits in its selftest.json; to logits that are finite and not the same for every picture; and \
            to the same bits for the same image, alone or in a batch, on one thread or several. A model without a \
            selftest.json is held to all but the first, and said to be. To make one, with images that the model is \
            known to be right about:

              swiftlet selftest --model mine --record cat.jpg dog.jpg

            The exit code is 0 where all is right, else 1.
            """)

    @Option(help: OutputFormat.help) var format = OutputFormat.table
    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp(
            "Writes these images and what --model says of them into its selftest.json.", valueName: "image"))
    var record: [String] = []
    @OptionGroup(title: "Model") var model: ModelOptions
    @OptionGroup(title: "Compute") var compute: ComputeOptions
    @OptionGroup var configuration: ConfigurationOptions

    func run() throws {
        let settings = try configuration.settings(model, compute)
        if !record.isEmpty { return try record(with: settings) }
        let reports = try Self.models(settings).map { try Selftest($0, settings).run() }
        try StandardStream.output.write(
            format == .json ? JSONText.pretty(["models": reports]) : reports.map(\.text).joined(separator: "\n"))
        if reports.contains(where: { !$0.isRight }) { throw ExitCode.failure }
    }

    /// The model that was asked for, or else all that the service would load: its default model is only one of them.
    private static func models(_ settings: Settings) throws -> [StoredModel] {
        if case .flag = settings.origin(of: "model") { return [try settings.storedModel()] }
        let repository = ModelRepository(
            directory: try settings.modelsDirectory(executable: ConfigurationOptions.executable))
        var names = settings.loadModels
        if names.isEmpty { names = Set(try repository.entries().map(\.name)).sorted() }
        guard !names.isEmpty else {
            throw CheckpointError.repository(path: repository.directory, reason: "has no model")
        }
        return try names.map { try repository.model(named: $0) }
    }

    private func record(with settings: Settings) throws {
        guard !settings.model.isEmpty else { throw ValidationError("--record needs --model, whose file it writes.") }
        let test = try Selftest(settings.storedModel(), settings)
        let images = try record.map { path in
            let name = path.split(separator: "/").last.map(String.init) ?? path
            return (name: name, bytes: try ImageSource.file(path).read())
        }
        let golden = try test.golden(of: images)
        try golden.write(to: test.goldenPath)
        for image in golden.images {
            let first = image.predictions[0]
            let line = "\(image.name): \(first.index) \(test.label(first.index))"
            try StandardStream.output.write("\(LogValue.escaped(line))\n")
        }
    }
}
