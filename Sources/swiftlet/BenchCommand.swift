import ArgumentParser
import Checkpoints
import Classification
import EfficientNet
import Inference
import Kernels

struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measures how fast the engine computes on this machine.",
        discussion: """
            Runs batches back to back after a warm-up, without decoding or network. One worker has all threads to \
            itself: the latency of a lone request. As many workers as threads share them: the throughput under load. \
            The cores' own rate of fused multiply-adds is measured beside it.

              swiftlet bench --threads 1
              swiftlet bench --threads 2 --workers 2 --batch 8
              swiftlet bench --architecture efficientnet_b4
              swiftlet bench --threads 1 --profile
              swiftlet bench --kernels
            """)

    @Option(help: ArgumentHelp("Images in a batch.", valueName: "images")) var batch = 1
    @Option(help: ArgumentHelp("Sessions side by side, which share the threads.", valueName: "count")) var workers = 1
    @Option(help: ArgumentHelp("How long to measure.", valueName: "s")) var seconds = 5.0
    @Option(
        help: ArgumentHelp("A variant with random weights, instead of a model of the repository.", valueName: "name"))
    var architecture: String?
    @Option(
        help: ArgumentHelp("Height and width of the images; the variant's own without it.", valueName: "pixels"))
    var inputSize: Int?
    @Option(help: ArgumentHelp("Of a variant with random weights: fp32, as without it, or int8.", valueName: "name"))
    var precision: ModelDescription.Precision?
    @Flag(help: "Shows where the time goes: each block, in fp32 its parts too, and its share of the machine's limit.")
    var profile = false
    @Flag(help: "Times the candidate tiles of an fp32 model's matrix products on one thread.") var kernels = false
    @Option(help: OutputFormat.help) var format = OutputFormat.table
    @OptionGroup(title: "Model") var model: ModelOptions
    @OptionGroup(title: "Compute") var compute: ComputeOptions
    @OptionGroup var configuration: ConfigurationOptions

    func validate() throws {
        guard (1...Session.mostImages).contains(batch) else {
            throw ValidationError("--batch is \(batch), but must be 1 to \(Session.mostImages).")
        }
        guard seconds > 0, seconds <= 86_400 else {
            throw ValidationError("--seconds is \(seconds), but must be above 0, and a day at the most.")
        }
        if let architecture {
            do throws(ArchitectureError) { _ = try Architecture(named: architecture) } catch {
                throw ValidationError("\(error).")
            }
        }
        guard !(profile && kernels) else { throw ValidationError("--profile and --kernels are two benchmarks.") }
        guard !profile || workers == 1 else {
            throw ValidationError("--profile shows one session's blocks: it goes with --workers 1.")
        }
        guard inputSize == nil || architecture != nil else {
            throw ValidationError("--input-size needs --architecture: a model of the repository has its own.")
        }
        guard precision == nil || architecture != nil else {
            throw ValidationError(
                "--precision needs --architecture: a model of the repository has its own; the bundled one in int8 is "
                    + "--model efficientnet-lite0-int8.")
        }
    }

    func run() throws {
        let settings = try configuration.settings(model, compute)
        let threads = settings.threadCount
        guard (1...threads).contains(workers) else {
            throw ValidationError("--workers is \(workers), but must be 1 to \(threads), the number of threads.")
        }
        let (name, plan) = try makePlan(settings)
        if kernels {
            guard !plan.isInBytes else { throw ValidationError("--kernels measures products of fp32 models.") }
            let report = KernelBench(model: name, plan: plan, seconds: seconds)
            return try StandardStream.output.write(format == .json ? JSONText.pretty(report) : report.text)
        }
        if profile {
            let report = EngineBenchmark(plan: plan, batch: batch, threads: threads, workers: 1).profile(
                model: name, seconds: seconds)
            return try StandardStream.output.write(format == .json ? JSONText.pretty(report) : report.text)
        }
        let measurement = EngineBenchmark(plan: plan, batch: batch, threads: threads, workers: workers).run(
            seconds: seconds)
        let report = Report(
            model: name, plan: plan, batch: batch, threads: threads, workers: workers, measurement: measurement)
        try StandardStream.output.write(format == .json ? JSONText.pretty(report) : report.text)
    }

    private func makePlan(_ settings: Settings) throws -> (name: String, plan: Plan) {
        guard let architecture else {
            let model = try settings.loadModel()
            return (model.name, model.plan)
        }
        let variant = try Architecture(named: architecture)
        let table = try settings.kernelTable()
        let plan =
            switch precision ?? .fp32 {
            case .fp32:
                try Plan(
                    graph: Graph(randomWeightsFor: variant), table: table, inputHeight: inputSize,
                    inputWidth: inputSize)
            case .int8:
                try Plan(
                    graph: QuantizedGraph(randomWeightsFor: variant), table: table, inputHeight: inputSize,
                    inputWidth: inputSize)
            }
        return (variant.name, plan)
    }

    struct Report: Encodable {
        let model: String
        /// Shapes: [channels, height, width].
        let input: [Int]
        let isa: String
        let batch, threads, workers: Int
        /// Batches measured.
        let runs: Int
        /// Of one batch.
        let medianMs, meanMs, p95Ms, p99Ms: Double
        let imagesPerSecond: Double
        /// Billions of operations a second, two for each multiply-accumulate.
        let gflops, peakGflops: Double

        init(
            model: String, plan: Plan, batch: Int, threads: Int, workers: Int, measurement: EngineBenchmark.Measurement
        ) {
            self.model = model
            input = [3, plan.inputHeight, plan.inputWidth]
            isa = plan.table.isa
            (self.batch, self.threads, self.workers) = (batch, threads, workers)
            runs = measurement.sortedSeconds.count
            medianMs = 1e3 * measurement.quantile(0.5)
            meanMs = 1e3 * measurement.mean
            p95Ms = 1e3 * measurement.quantile(0.95)
            p99Ms = 1e3 * measurement.quantile(0.99)
            imagesPerSecond = measurement.batchesPerSecond * Double(batch)
            gflops = 2e-9 * Double(plan.multiplyAccumulates) * imagesPerSecond
            peakGflops = 1e-9 * measurement.peakOperationsPerSecond
        }

        var text: String {
            var table = TextTable([("", .left), ("", .right), ("", .left)])
            table.add(["median", NumberText.fixed(medianMs, 3), "ms a batch"])
            table.add(["mean", NumberText.fixed(meanMs, 3), "ms"])
            table.add(["p95", NumberText.fixed(p95Ms, 3), "ms"])
            table.add(["p99", NumberText.fixed(p99Ms, 3), "ms"])
            table.add(["throughput", NumberText.fixed(imagesPerSecond, 1), "images/s"])
            table.add(["rate", NumberText.fixed(gflops, 1), "billion operations/s"])
            table.add(["cores", NumberText.fixed(peakGflops, 1), "billion operations/s in registers"])
            table.add(["share", NumberText.fixed(100 * gflops / peakGflops, 1), "% of the cores' rate"])
            return "\(model), input \(NumberText.shape(input)), batch \(batch), \(isa), threads \(threads), "
                + "workers \(workers), \(runs) batches\n" + table.text
        }
    }
}

extension ModelDescription.Precision: ExpressibleByArgument {}
