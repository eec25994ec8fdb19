import Checkpoints
import EfficientNet
import Tensors

/// Weights and inputs that are a pure function of tensor names: what the golden logits were computed from.
///
/// Values are computed in f64 and rounded once to f32; i is the flat index in PyTorch's layout:
/// convolution or linear weight v·√(3 / fan-in)·gain, every bias 0.1·v, batch-norm weight 1 + 0.1·v, mean 0.1·v,
/// variance 1 + 0.5·v, with v = `noise(name)[i]`.
public struct SyntheticCheckpoint: Sendable {
    public let architecture: Architecture
    public let dialect: Dialect
    public let gain: Double

    public init(_ architecture: Architecture, dialect: Dialect, gain: Double) {
        self.architecture = architecture
        self.dialect = dialect
        self.gain = gain
    }

    /// The checkpoint that a golden file's logits belong to.
    public init(_ golden: Golden) throws {
        try self.init(
            Architecture(named: golden.architectureName, dialect: golden.dialect), dialect: golden.dialect,
            gain: golden.gain)
    }

    /// Every tensor under its name, without PyTorch's counters.
    public func tensors() -> [String: StoredTensor] {
        var tensors: [String: StoredTensor] = [:]
        for (parameter, dimensions) in architecture.parameters() {
            let name = architecture.name(of: parameter, in: dialect)
            let shape = Shape(dimensions)
            let noise = Self.noise(name, count: shape.elementCount)
            let values: [Float]
            switch parameter.role {
            case .convolutionWeight:
                let scale = (3 / Double(shape.elementCount / dimensions[0])).squareRoot()
                values = noise.map { Float($0 * scale * gain) }
            case .convolutionBias, .batchNormBias, .batchNormMean: values = noise.map { Float(0.1 * $0) }
            case .batchNormWeight: values = noise.map { Float(1 + 0.1 * $0) }
            case .batchNormVariance: values = noise.map { Float(1 + 0.5 * $0) }
            }
            tensors[name] = StoredTensor(values, shape: shape)
        }
        return tensors
    }

    /// The checkpoint in memory.
    public func checkpoint() throws(CheckpointMismatch) -> Checkpoint {
        try Checkpoint(architecture: architecture, dialect: dialect, tensors: tensors())
    }

    /// The input of the golden logits: noise on a coarse grid, each value over 8 × 8 pixels, cropped to `size`.
    ///
    /// Shapes: [2, 3, size, size] f32.
    public static func input(size: Int) -> NpyArray {
        let grid = (size + 7) / 8
        let noise = noise("input", count: 2 * 3 * grid * grid).map { Float(2 * $0) }
        var values: [Float] = []
        values.reserveCapacity(2 * 3 * size * size)
        for plane in 0..<2 * 3 {
            for y in 0..<size {
                for x in 0..<size { values.append(noise[(plane * grid + y / 8) * grid + x / 8]) }
            }
        }
        return NpyArray(values, shape: [2, 3, size, size])
    }

    /// `count` values in [-1, 1): splitmix64 over the FNV-1a hash of the name, the upper 24 bits of each.
    public static func noise(_ name: String, count: Int) -> [Double] {
        var key: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in name.utf8 { key = (key ^ UInt64(byte)) &* 0x100_0000_01B3 }
        var generator = SplitMix64(seed: key)
        return (0..<count).map { _ in 2 * (Double(generator.next() >> 40) / Double(1 << 24)) - 1 }
    }
}
