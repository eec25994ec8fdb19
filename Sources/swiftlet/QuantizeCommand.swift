import ArgumentParser
import Checkpoints
import Classification
import EfficientNet
import Inference
import Parallelism
import Quantization

extension RangeMethod: ExpressibleByArgument {}

struct QuantizeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quantize",
        abstract: "Makes an int8 model out of one in fp32, calibrated on pictures.",
        discussion: """
            Some hundred pictures of the kind that the model will see are enough; they need no labels. The same \
            pictures give the same file.

              swiftlet quantize --model efficientnet-lite0 --calibration photos/ --output models/mine-int8/1

            The table that is printed has each layer's signal-to-noise ratio, measured by itself, fed with fp32 \
            activations. Blocks that hurt can stay in fp32, by name or by a budget.

            Two tensors of every picture are held in memory: about 0.5 GB for 331 pictures of EfficientNet-Lite0, more \
            with larger inputs. --images takes fewer of them.
            """)

    @Option(help: ArgumentHelp("A directory of pictures.", valueName: "dir")) var calibration: String
    @Option(
        help: ArgumentHelp(
            "The directory of the new model's version, such as models/NAME/1: missing, empty, or an int8 model's, which "
                + "is replaced.", valueName: "dir"))
    var output: String
    @Option(help: ArgumentHelp("Takes this many of the pictures, evenly spread; all without it.", valueName: "count"))
    var images: Int?
    @Option(help: "How far the bytes of a channel reach: past every value seen, past most, or as errs least.")
    var method = RangeMethod.minmax
    @Option(help: ArgumentHelp("Blocks that stay in fp32, such as 'blocks.3,blocks.7'.", valueName: "names"))
    var keep: String?
    @Option(
        help: ArgumentHelp(
            "Keeps the blocks with the noisiest layers in fp32, as many as have this share of the multiply-accumulates, "
                + "0 to 1.", valueName: "share"))
    var keepBudget: Double?
    @Option(help: ArgumentHelp("A table of files and classes to compare both models on.", valueName: "tsv"))
    var evaluate: String?
    @OptionGroup(title: "Model") var model: ModelOptions
    @OptionGroup(title: "Compute") var compute: ComputeOptions
    @OptionGroup var configuration: ConfigurationOptions

    /// Pictures that signal-to-noise ratios are measured on, at most.
    private static let measured = 32

    func validate() throws {
        if let images, images < 1 { throw ValidationError("--images is \(images), but must be at least 1.") }
        if let keepBudget, !(0...1).contains(keepBudget) {
            throw ValidationError("--keep-budget is \(keepBudget), but must be 0 to 1.")
        }
    }

    func run() throws {
        let settings = try configuration.settings(model, compute)
        let stored = try settings.storedModel()
        guard stored.description.precision == .fp32 else {
            throw ValidationError("'\(stored.name)' is in \(stored.description.precision.rawValue) already.")
        }
        let target = try QuantizedModelDirectory(output, source: stored)
        let version = output.split(separator: "/").last.map(String.init) ?? ""
        if Int(version).map({ $0 > 0 && String($0) == version }) != true {
            StandardStream.complain(
                "warning: '\(output)' does not end in a version, such as models/NAME/1: a repository would pass it over"
            )
        }
        let graph = try Graph(stored.checkpoint())
        var options = Quantizer.Options()
        options.method = method
        options.keep = try keptSegments(of: graph.architecture)
        let pictures = try calibrationImages(stored.description, settings)
        let evaluated = try evaluate.map { try evaluationSet($0, stored, graph.architecture, settings) }

        let pool = WorkerPool(workerCount: settings.threadCount)
        defer { pool.shutdown() }
        let work = QuantizationWork(
            graph: graph, description: stored.description, pictures: pictures,
            measured: Array((evaluated?.images ?? pictures).prefix(Self.measured)), keepBudget: keepBudget)
        var report = try work.run(options, pool: pool)
        if let evaluated { report.comparison = try work.compare(report.graph, evaluated, pool: pool) }

        let bytes = try target.write(report.graph, from: stored, pictures: pictures.count, method: method)
        try StandardStream.output.write(
            report.text(
                title:
                    "\(stored.name) in int8: \(output), calibrated on \(pictures.count) pictures (\(method.rawValue))",
                bytesBefore: try QuantizedModelDirectory.size(of: stored.weightsPath), bytesAfter: bytes))
    }

    private func keptSegments(of architecture: Architecture) throws -> Set<String> {
        let names = Set((keep ?? "").split(separator: ",").map(String.init))
        let known = Quantizer.segmentNames(of: architecture)
        if let unknown = names.sorted().first(where: { !known.contains($0) }) {
            throw ValidationError(
                "--keep names '\(unknown)', but the blocks are \(known.first ?? "") to \(known.last ?? "").")
        }
        return names
    }

    private func calibrationImages(_ description: ModelDescription, _ settings: Settings) throws -> [CalibrationImage] {
        guard ImageSource.isDirectory(calibration) else {
            throw ValidationError("--calibration is '\(calibration)', which is no directory.")
        }
        var paths = ImageSource.images(in: calibration) { StandardStream.complain("\($0): \($1)") }
        guard !paths.isEmpty else { throw ValidationError("'\(calibration)' has no pictures in it.") }
        if let images, images < paths.count { paths = (0..<images).map { paths[$0 * paths.count / images] } }
        return try read(paths, description, settings)
    }

    private func evaluationSet(
        _ table: String, _ stored: StoredModel, _ architecture: Architecture, _ settings: Settings
    ) throws -> EvaluationSet {
        let labels = try stored.labels(classCount: architecture.classCount)
        let names = labels ?? (0..<architecture.classCount).map(String.init)
        let set = try LabelledSet(table: table, classes: ClassNames(labels: names))
        return EvaluationSet(
            images: try read(set.items.map(\.path), stored.description, settings), actual: set.items.map(\.actual))
    }

    /// - Throws: `UnreadablePicture` for the first one that cannot be read: a set with holes would be another set.
    private func read(
        _ paths: [String], _ description: ModelDescription, _ settings: Settings
    ) throws -> [CalibrationImage] {
        var reader = CalibrationReader(description, limits: settings.imageLimits)
        var images: [CalibrationImage] = []
        for path in paths {
            switch reader.read(path) {
            case .success(let image): images.append(image)
            case .failure(let failure): throw UnreadablePicture(path: path, failure: failure)
            }
        }
        return images
    }
}

struct UnreadablePicture: Error, CustomStringConvertible {
    let path: String
    let failure: ImageFailure

    var description: String { "\(path): \(failure)" }
}
