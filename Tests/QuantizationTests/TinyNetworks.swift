import EfficientNet
import Inference
import Parallelism
import TestSupport

@testable import Quantization

/// Networks small enough to be quantised in a test, with every kind of block between them.
enum TinyNetwork: String, CaseIterable, Sendable {
    /// ReLU6, the stem in the first block, a 5×5 kernel, a residual.
    case lite
    /// SiLU with squeeze-and-excite; the stem by itself, because the first block has a residual and does not expand.
    case squeeze
    /// Fused blocks with and without expansion.
    case fused

    static let size = 24
    static let normalisation = Normalisation(mean: [0.5, 0.45, 0.4], standardDeviation: [0.25, 0.5, 0.2])

    var architecture: Architecture {
        func block(
            _ kernel: Int, _ stride: Int, _ channels: (Int, Int, Int), kind: BlockSpec.Kind = .mbConv,
            squeeze: Int? = nil, stage: Int
        ) -> BlockSpec {
            BlockSpec(
                kind: kind, kernel: kernel, stride: stride, inputChannels: channels.0, expandedChannels: channels.1,
                outputChannels: channels.2, squeezeChannels: squeeze, stage: stage, indexInStage: 0)
        }
        let blocks =
            switch self {
            case .lite:
                [
                    block(3, 1, (8, 8, 12), stage: 0), block(5, 2, (12, 40, 16), stage: 1),
                    block(3, 1, (16, 48, 16), stage: 2),
                ]
            case .squeeze:
                [
                    block(3, 1, (8, 8, 8), squeeze: 2, stage: 0), block(3, 2, (8, 32, 12), squeeze: 2, stage: 1),
                    block(5, 1, (12, 40, 12), squeeze: 3, stage: 2),
                ]
            case .fused:
                [
                    block(3, 1, (8, 8, 8), kind: .fusedMBConv, stage: 0),
                    block(3, 2, (8, 32, 12), kind: .fusedMBConv, stage: 1),
                    block(3, 1, (12, 40, 12), squeeze: 3, stage: 2),
                ]
            }
        return Architecture(
            name: "efficientnet_lite0", title: "tiny", inputSize: Self.size, dropout: 0,
            activation: self == .lite ? .relu6 : .silu, padding: self == .fused ? .symmetric : .same,
            batchNormEpsilon: 1e-3, classCount: 10, stem: .init(outputChannels: 8), blocks: blocks, headChannels: 48)
    }

    func graph() throws -> Graph {
        try Graph(SyntheticCheckpoint(architecture, dialect: .timm, gain: 1.3).checkpoint())
    }

    /// Pictures of a few rectangles each.
    static func images(_ count: Int, seed: UInt64 = 1) -> [CalibrationImage] {
        var random = SplitMix64(seed: seed)
        return (0..<count).map { _ in
            var pixels = [UInt8](repeating: UInt8.random(in: .min ... .max, using: &random), count: size * size * 3)
            for _ in 0..<6 {
                let (x, y) = (Int.random(in: 0..<size, using: &random), Int.random(in: 0..<size, using: &random))
                let color = (0..<3).map { _ in UInt8.random(in: .min ... .max, using: &random) }
                for row in y..<min(size, y + 9) {
                    for column in x..<min(size, x + 11) {
                        for channel in 0..<3 { pixels[(row * size + column) * 3 + channel] = color[channel] }
                    }
                }
            }
            return CalibrationImage(pixels: pixels, height: size, width: size)
        }
    }

    func quantize(
        _ images: [CalibrationImage] = images(24), method: RangeMethod = .minmax, keep: Set<String> = [],
        threads: Int = 2
    ) throws -> QuantizedGraph {
        try with(keep: keep, method: method, threads: threads) { try $0.run(images) }
    }

    func with<Result>(
        keep: Set<String> = [], method: RangeMethod = .minmax, threads: Int = 2, _ body: (Quantizer) throws -> Result
    ) throws -> Result {
        let pool = WorkerPool(workerCount: threads)
        defer { pool.shutdown() }
        var options = Quantizer.Options()
        options.keep = keep
        options.method = method
        let graph = try graph()
        return try pool.withScope {
            try body(Quantizer(graph, normalisation: Self.normalisation, options: options, in: $0))
        }
    }
}
