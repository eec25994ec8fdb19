import ArgumentParser
import Classification
import Inference
import Parallelism

struct EvaluateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate",
        abstract: "Measures how often a model is right about images whose classes are known.",
        discussion: """
            PATH is a table with tabs between its columns, of which 'file' (relative to the table) and 'class' count, \
            or a directory with a folder for each class. A class is a label of the model or an index.

              swiftlet evaluate validation.tsv
              swiftlet evaluate flowers/

            An image that cannot be read is named on standard error and not counted; the exit code is then 1.
            """)

    @Argument(help: ArgumentHelp("A table of files and classes, or a directory of folders.", valueName: "path"))
    var path: String
    @Option(
        help: ArgumentHelp("A table for the images in the directory PATH, instead of folders.", valueName: "tsv"))
    var labelsFile: String?
    @Option(help: OutputFormat.help) var format = OutputFormat.table
    @OptionGroup(title: "Model") var model: ModelOptions
    @OptionGroup(title: "Compute") var compute: ComputeOptions
    @OptionGroup var configuration: ConfigurationOptions

    /// How many confused pairs are printed.
    private static let confusions = 10

    func run() throws {
        let settings = try configuration.settings(model, compute)
        let model = try settings.loadModel()
        var failures = 0
        let set = try labelledSet(ClassNames(labels: model.labels)) { path, error in
            StandardStream.complain("\(path): \(error)")
            failures += 1
        }
        var accuracy = Accuracy()
        var progress = ProgressBar(total: set.items.count)
        let clock = MonotonicClock()
        let start = clock.now()
        let pipeline = ImagePipeline(model: model, settings: settings, topK: min(5, model.plan.classCount))
        try pipeline.run(set.items.map { .file($0.path) }) { index, result in
            switch result {
            case .success(let image):
                accuracy.count(actual: set.items[index].actual, predictions: image.predictions)
            case .failure(let failure):
                failures += 1
                try progress.clear()
                StandardStream.complain("\(set.items[index].path): \(failure)")
            }
            try progress.update(done: index + 1)
        }
        let seconds = clock.now().seconds(since: start)
        try progress.clear()
        let report = Report(
            model, accuracy, failed: failures, seconds: seconds, confusions: accuracy.mostConfused(Self.confusions))
        try StandardStream.output.write(format == .json ? JSONText.pretty(report) : report.text)
        if failures > 0 { throw ExitCode.failure }
    }

    private func labelledSet(
        _ classes: ClassNames, complain: (String, ImageSourceError) -> Void
    ) throws -> LabelledSet {
        let isDirectory = ImageSource.isDirectory(path)
        if let labelsFile {
            guard isDirectory else {
                throw ValidationError("With --labels-file, PATH must be the directory that the files are in.")
            }
            return try LabelledSet(table: labelsFile, directory: path, classes: classes)
        }
        return isDirectory
            ? try LabelledSet(folders: path, classes: classes, complain: complain)
            : try LabelledSet(table: path, classes: classes)
    }

    struct Report: Encodable {
        struct Confusion: Encodable {
            let actualIndex: Int
            let actualLabel: String
            let predictedIndex: Int
            let predictedLabel: String
            let count: Int
        }

        let model: String
        let version: Int
        let images: Int
        /// Images that could not be read.
        let failed: Int
        /// Shares, 0 to 1.
        let top1, top5: Double
        let imagesPerSecond: Double
        let confusions: [Confusion]

        init(
            _ model: ClassifierModel, _ accuracy: Accuracy, failed: Int, seconds: Double,
            confusions: [Accuracy.Confusion]
        ) {
            (self.model, version) = (model.name, model.version)
            (images, top1, top5) = (accuracy.images, accuracy.top1, accuracy.top5)
            self.failed = failed
            imagesPerSecond = seconds > 0 ? Double(accuracy.images) / seconds : 0
            self.confusions = confusions.map {
                Confusion(
                    actualIndex: $0.actual, actualLabel: model.labels[$0.actual], predictedIndex: $0.predicted,
                    predictedLabel: model.labels[$0.predicted], count: $0.count)
            }
        }

        var text: String {
            var text = """
                \(model), version \(version)
                top-1   \(NumberText.percent(top1, 2))
                top-5   \(NumberText.percent(top5, 2))
                images  \(images)\(failed > 0 ? ", and \(failed) that could not be read" : "")
                speed   \(NumberText.fixed(imagesPerSecond, 1)) images/s

                """
            if !confusions.isEmpty {
                var table = TextTable([("CONFUSED", .right), ("IS", .left), ("TAKEN FOR", .left)])
                for pair in confusions {
                    table.add([
                        "\(pair.count)", "\(pair.actualIndex) \(pair.actualLabel)",
                        "\(pair.predictedIndex) \(pair.predictedLabel)",
                    ])
                }
                text += "\n" + table.text
            }
            return text
        }
    }
}
