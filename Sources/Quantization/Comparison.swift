import Inference

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// How near a quantised network's answers are to those in floating point, over a set of pictures.
public struct Comparison: Equatable, Sendable {
    public private(set) var images = 0
    /// Pictures for which both have the same first class.
    public private(set) var agreeing = 0
    private var divergenceSum = 0.0
    /// Of the pictures whose class is known.
    public private(set) var float = Accuracy()
    public private(set) var quantized = Accuracy()

    public init() {}

    /// - Parameter actual: the picture's class, where it is known.
    public mutating func count(float floatLogits: [Float], quantized quantizedLogits: [Float], actual: Int? = nil) {
        images += 1
        let most = min(5, floatLogits.count)
        let floatBest = Prediction.top(most, logits: floatLogits)
        let quantizedBest = Prediction.top(most, logits: quantizedLogits)
        if floatBest[0].index == quantizedBest[0].index { agreeing += 1 }
        divergenceSum += Self.divergence(floatLogits, quantizedLogits)
        if let actual {
            float.count(actual: actual, predictions: floatBest)
            quantized.count(actual: actual, predictions: quantizedBest)
        }
    }

    /// The share of pictures for which both have the same first class; 0 of no pictures.
    public var agreement: Double { images == 0 ? 0 : Double(agreeing) / Double(images) }
    /// The mean of KL(float ‖ quantised). Units: nats.
    public var meanDivergence: Double { images == 0 ? 0 : divergenceSum / Double(images) }

    /// Σ p · (log p - log q) of the softmaxes.
    static func divergence(_ p: [Float], _ q: [Float]) -> Double {
        let (logP, logQ) = (logSoftmax(p), logSoftmax(q))
        return zip(logP, logQ).reduce(0) { $0 + exp($1.0) * ($1.0 - $1.1) }
    }

    private static func logSoftmax(_ logits: [Float]) -> [Double] {
        let largest = Double(logits.max() ?? 0)
        let sum = log(logits.reduce(0) { $0 + exp(Double($1) - largest) })
        return logits.map { Double($0) - largest - sum }
    }
}
