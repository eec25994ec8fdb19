import Checkpoints
import EfficientNet
import Inference
import Parallelism
import Quantization

/// Pictures with their classes.
struct EvaluationSet {
    let images: [CalibrationImage]
    let actual: [Int]
}

/// Quantises one network, shows how far it is, and finds out which blocks should stay in fp32.
struct QuantizationWork {
    let graph: Graph
    let description: ModelDescription
    let pictures: [CalibrationImage]
    /// What signal-to-noise ratios are measured on.
    let measured: [CalibrationImage]
    let keepBudget: Double?

    private var normalisation: Normalisation {
        Normalisation(mean: description.mean, standardDeviation: description.standardDeviation)
    }

    func run(_ options: Quantizer.Options, pool: WorkerPool) throws -> QuantizationReport {
        var report = try quantize(options, pool: pool)
        guard let keepBudget else { return report }
        var options = options
        options.keep.formUnion(
            try Quantizer.segmentsToKeep(
                report.layers, budget: keepBudget, architecture: graph.architecture, inputSize: description.inputSize))
        if options.keep != report.kept { report = try quantize(options, pool: pool) }
        return report
    }

    private func quantize(_ options: Quantizer.Options, pool: WorkerPool) throws -> QuantizationReport {
        var progress = ProgressBar(total: graph.architecture.layers.count, unit: "layers")
        var done = 0
        let report = try pool.withScope { scope in
            let quantizer = Quantizer(graph, normalisation: normalisation, options: options, in: scope)
            let quantized = try quantizer.run(pictures) { _ in
                try progress.update(done: done)
                done += 1
            }
            let (layers, segments) = try quantizer.measure(quantized, on: measured)
            return QuantizationReport(graph: quantized, layers: layers, segments: segments, kept: options.keep)
        }
        try progress.clear()
        return report
    }

    func compare(_ quantized: QuantizedGraph, _ set: EvaluationSet, pool: WorkerPool) throws -> Comparison {
        let logits = try pool.withScope { scope in
            try Quantizer(graph, normalisation: normalisation, options: Quantizer.Options(), in: scope)
                .logits(quantized, on: set.images)
        }
        var comparison = Comparison()
        for (pair, actual) in zip(logits, set.actual) {
            comparison.count(float: pair.float, quantized: pair.quantized, actual: actual)
        }
        return comparison
    }
}

/// What came of quantising a network.
struct QuantizationReport {
    let graph: QuantizedGraph
    let layers: [SignalToNoise]
    let segments: [SignalToNoise]
    let kept: Set<String>
    var comparison: Comparison?

    /// Layers that are named as the worst.
    private static let worst = 5

    init(graph: QuantizedGraph, layers: [SignalToNoise], segments: [SignalToNoise], kept: Set<String>) {
        (self.graph, self.layers, self.segments, self.kept) = (graph, layers, segments, kept)
    }

    func text(title: String, bytesBefore: Int, bytesAfter: Int) -> String {
        var table = TextTable([("LAYER", .left), ("SNR dB", .right)])
        for layer in layers where layer.isMeasured { table.add([layer.name, NumberText.fixed(layer.decibels, 1)]) }
        let worst = layers.filter(\.isMeasured).sorted { $0.decibels < $1.decibels }.prefix(Self.worst)
        let named = worst.map { "\($0.name) \(NumberText.fixed($0.decibels, 1))" }.joined(separator: ", ")
        var text = "\(title)\n\n\(table.text)\n"
        text += "worst        \(named)\n"
        if let logits = segments.last {
            text += "logits       \(NumberText.fixed(logits.decibels, 1)) dB, all layers together\n"
        }
        text += "in fp32      \(kept.isEmpty ? "no block" : kept.sorted().joined(separator: ", "))\n"
        text += "size         \(NumberText.mebibytes(bytesBefore)) → \(NumberText.mebibytes(bytesAfter))\n"
        guard let comparison else { return text }
        let (float, quantized) = (comparison.float, comparison.quantized)
        text += "top-1        \(NumberText.percent(float.top1, 2)) → \(NumberText.percent(quantized.top1, 2))\n"
        text += "top-5        \(NumberText.percent(float.top5, 2)) → \(NumberText.percent(quantized.top5, 2))\n"
        text += "agreement    \(NumberText.percent(comparison.agreement, 2)) of \(comparison.images) images\n"
        text += "mean KL      \(NumberText.fixed(comparison.meanDivergence, 5)) nats, fp32 from int8\n"
        return text
    }
}
