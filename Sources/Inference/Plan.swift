import EfficientNet
import Kernels
import Tensors

/// How pixels of 0…255 become the network's input: (pixel / 255 - mean) / std, per channel R, G, B.
public struct Normalisation: Equatable, Sendable {
    /// Units: of the range 0…1.
    public var mean: [Float]
    /// Units: of the range 0…1.
    public var standardDeviation: [Float]

    /// - Precondition: three of each.
    public init(mean: [Float], standardDeviation: [Float]) {
        precondition(mean.count == 3 && standardDeviation.count == 3, "one mean and deviation per channel")
        self.mean = mean
        self.standardDeviation = standardDeviation
    }

    /// What ImageNet models of torchvision use.
    public static let imageNet = Normalisation(mean: [0.485, 0.456, 0.406], standardDeviation: [0.229, 0.224, 0.225])

    var scale: [Float] { standardDeviation.map { 1 / (255 * $0) } }
    var shift: [Float] { zip(mean, standardDeviation).map { -$0 / $1 } }
}

/// A graph made ready for one machine and one input size: packed weights, memory plan, choice of kernels.
///
/// Concurrency: immutable; shared by all sessions.
public final class Plan: Sendable {
    enum Network: Sendable {
        case float(FloatPlan)
        case bytes(BytePlan)
    }

    public let architecture: Architecture
    public let table: KernelTable
    /// Units: pixels.
    public let inputHeight: Int
    /// Units: pixels.
    public let inputWidth: Int
    public let normalisation: Normalisation
    let network: Network

    /// - Throws: `InferenceError.inputSize` where a side is not within 1...`mostPixelsASide`.
    public init(
        graph: Graph, table: KernelTable = .fastest, inputHeight: Int? = nil, inputWidth: Int? = nil,
        normalisation: Normalisation = .imageNet
    ) throws(InferenceError) {
        architecture = graph.architecture
        (self.inputHeight, self.inputWidth) = try Self.size(inputHeight, inputWidth, of: graph.architecture)
        self.table = table
        self.normalisation = normalisation
        network = .float(
            FloatPlan(
                graph: graph, table: table, inputHeight: self.inputHeight, inputWidth: self.inputWidth,
                normalisation: normalisation))
    }

    /// - Throws: `InferenceError.inputSize`, and `impossibleQuantisation` where a number of a layer does not fit.
    public init(
        graph: QuantizedGraph, table: KernelTable = .fastest, inputHeight: Int? = nil, inputWidth: Int? = nil
    ) throws(InferenceError) {
        architecture = graph.architecture
        (self.inputHeight, self.inputWidth) = try Self.size(inputHeight, inputWidth, of: graph.architecture)
        self.table = table
        normalisation = graph.normalisation
        network = .bytes(
            try BytePlan(graph, table: table, inputHeight: self.inputHeight, inputWidth: self.inputWidth))
    }

    private static func size(
        _ height: Int?, _ width: Int?, of architecture: Architecture
    ) throws(InferenceError) -> (Int, Int) {
        let height = height ?? architecture.inputSize
        let width = width ?? architecture.inputSize
        guard (1...Self.mostPixelsASide).contains(height), (1...Self.mostPixelsASide).contains(width) else {
            throw .inputSize(height: height, width: width, limit: Self.mostPixelsASide)
        }
        return (height, width)
    }

    /// Whether the network computes in bytes.
    public var isInBytes: Bool { if case .bytes = network { true } else { false } }

    /// Multiply-accumulates of all convolutions and linear layers for one image.
    public var multiplyAccumulates: Int {
        switch network {
        case .float(let plan): plan.multiplyAccumulates
        case .bytes(let plan): plan.multiplyAccumulates
        }
    }
    /// Number of classes.
    public var classCount: Int {
        switch network {
        case .float(let plan): plan.classCount
        case .bytes(let plan): plan.classCount
        }
    }
    /// Length of the pooled features before the classifier.
    public var featureCount: Int {
        switch network {
        case .float(let plan): plan.featureCount
        case .bytes(let plan): plan.featureCount
        }
    }
    /// Pictures larger than this are no classifier's input.
    public static let mostPixelsASide = 4096
}

/// What can go wrong between a graph and its answers.
public enum InferenceError: Error, Equatable, Sendable, CustomStringConvertible {
    case inputSize(height: Int, width: Int, limit: Int)
    /// A tensor with values that are not finite, or with a negative variance.
    case impossibleWeights(tensor: String)
    /// A quantised layer whose numbers do not fit into their types.
    case impossibleQuantisation(layer: String, reason: String)
    /// A tensor of a quantised model that is missing, superfluous, of the wrong shape or has values that it may not have.
    case quantisedTensor(String, reason: String)

    public var description: String {
        switch self {
        case .inputSize(let height, let width, let limit):
            "an input of \(width)×\(height) pixels; each side must be between 1 and \(limit)"
        case .impossibleWeights(let tensor):
            "'\(tensor)' has values that are not finite, or a negative variance"
        case .impossibleQuantisation(let layer, let reason): "quantised layer '\(layer)', \(reason)"
        case .quantisedTensor(let name, let reason): "'\(name)' \(reason)"
        }
    }
}
