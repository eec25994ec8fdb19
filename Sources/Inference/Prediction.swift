#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A class and how probable it is.
public struct Prediction: Equatable, Sendable {
    /// Index of the class.
    public let index: Int
    /// Between 0 and 1; all classes' add up to 1.
    public let probability: Float

    public init(index: Int, probability: Float) {
        self.index = index
        self.probability = probability
    }
}

extension Prediction {
    /// The softmax of `logits`, `[classes]`.
    ///
    /// Numerics: sums in `Double`, shifted by the largest logit.
    public static func probabilities(logits: [Float]) -> [Float] {
        guard let largest = logits.max() else { return [] }
        let exponentials = logits.map { exp(Double($0 - largest)) }
        let sum = exponentials.reduce(0, +)
        return exponentials.map { Float($0 / sum) }
    }

    /// The `count` most probable classes, most probable first, the lower index first among equals.
    /// - Precondition: `count` is between 1 and the number of classes.
    /// - Complexity: O(classes · log `count`) at the most.
    public static func top(_ count: Int, logits: [Float]) -> [Prediction] {
        let probabilities = probabilities(logits: logits)
        return largest(count, of: logits).map { Prediction(index: $0, probability: probabilities[$0]) }
    }

    /// The indices of the `count` largest of `values`, the largest first, the lower index first among equals.
    /// - Precondition: `count` is between 1 and the number of values.
    /// - Complexity: O(values · log `count`) at the most.
    public static func largest(_ count: Int, of values: [Float]) -> [Int] {
        precondition(count >= 1 && count <= values.count, "the largest \(count) of \(values.count) values")
        // Of those so far, the largest first.
        var best: [Int] = []
        best.reserveCapacity(count + 1)
        for index in values.indices {
            if best.count == count && values[index] <= values[best[count - 1]] { continue }
            var low = 0
            var high = best.count
            while low < high {
                let middle = (low + high) / 2
                if values[best[middle]] >= values[index] { low = middle + 1 } else { high = middle }
            }
            best.insert(index, at: low)
            if best.count > count { best.removeLast() }
        }
        return best
    }
}
