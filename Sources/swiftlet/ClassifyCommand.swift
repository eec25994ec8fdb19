import ArgumentParser
import Classification

struct ClassifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "classify",
        abstract: "Says what is on images.",
        discussion: """
            Takes image files, directories (with all below them) and - for standard input, and prints the most \
            probable classes of each, in the order given:

              swiftlet classify photo.jpg
              swiftlet classify --format json photos/ > classes.jsonl

            An image that cannot be read is named on standard error and the others go on; the exit code is then 1.
            """)

    enum Format: String, CaseIterable, ExpressibleByArgument {
        case table, json, csv
    }

    @Argument(help: ArgumentHelp("Files, directories, or - for standard input.", valueName: "path"))
    var paths: [String]
    @Option(
        help: ArgumentHelp(
            "How many classes to print of each image, at most all of the model's (default: topK's, 5, or all where "
                + "the model has fewer).", valueName: "count"))
    var topK: Int?
    @Option(help: ArgumentHelp("A table to read, JSON with an image a line, or CSV.", valueName: "table|json|csv"))
    var format = Format.table
    @OptionGroup(title: "Model") var model: ModelOptions
    @OptionGroup(title: "Compute") var compute: ComputeOptions
    @OptionGroup var configuration: ConfigurationOptions

    func run() throws {
        let settings = try configuration.settings(model, compute)
        let model = try settings.loadModel()
        let topK = try Self.topK(topK, settings: settings, classCount: model.plan.classCount)

        var failures = 0
        let sources = ImageSource.expand(paths) { path, error in
            StandardStream.complain("\(path): \(error)")
            failures += 1
        }
        let writer = ClassificationWriter(format: format, labels: model.labels)
        try StandardStream.output.write(writer.head)
        var progress = ProgressBar(total: sources.count)
        try ImagePipeline(model: model, settings: settings, topK: topK).run(sources) { index, result in
            switch result {
            case .success(let image):
                let text = try writer.text(file: sources[index].name, image)
                if writer.isShown { try progress.clear() }
                try writer.write(text)
            case .failure(let failure):
                failures += 1
                try progress.clear()
                StandardStream.complain("\(sources[index].name): \(failure)")
            }
            try progress.update(done: index + 1)
        }
        try progress.clear()
        if failures > 0 { throw ExitCode.failure }
    }

    /// The number that was asked for, or else the setting's, which a model of few classes cuts down.
    /// - Throws: `ValidationError` where the number asked for is none of 1 to `classCount`.
    private static func topK(_ asked: Int?, settings: Settings, classCount: Int) throws -> Int {
        guard let asked else { return min(settings.topK, classCount) }
        guard (1...classCount).contains(asked) else {
            throw ValidationError("--top-k is \(asked), but must be 1 to \(classCount), the model's number of classes.")
        }
        return asked
    }
}
