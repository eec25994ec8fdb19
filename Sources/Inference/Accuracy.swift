/// How often a model is right about images whose classes are known.
public struct Accuracy: Equatable, Sendable {
    /// Images of one class that the model took for another.
    public struct Confusion: Equatable, Sendable {
        public let actual: Int
        public let predicted: Int
        public let count: Int

        public init(actual: Int, predicted: Int, count: Int) {
            self.actual = actual
            self.predicted = predicted
            self.count = count
        }
    }

    private struct Pair: Hashable {
        let actual: Int
        let predicted: Int
    }

    /// Images counted.
    public private(set) var images = 0
    private var right = 0
    private var rightAmongFive = 0
    private var confused: [Pair: Int] = [:]

    public init() {}

    /// Counts an image of class `actual` for which `predictions` came first to last.
    /// - Precondition: there is at least one prediction.
    public mutating func count(actual: Int, predictions: [Prediction]) {
        guard let first = predictions.first else { preconditionFailure("an image without predictions") }
        images += 1
        if predictions.prefix(5).contains(where: { $0.index == actual }) { rightAmongFive += 1 }
        if first.index == actual {
            right += 1
        } else {
            confused[Pair(actual: actual, predicted: first.index), default: 0] += 1
        }
    }

    /// The share of images whose most probable class is theirs, in 0…1; 0 of no images.
    public var top1: Double { images == 0 ? 0 : Double(right) / Double(images) }

    /// The share of images whose class is among the five most probable, in 0…1; 0 of no images.
    public var top5: Double { images == 0 ? 0 : Double(rightAmongFive) / Double(images) }

    /// The `limit` most frequent confusions, the most frequent first, by class among equals.
    /// - Complexity: O(confusions · log confusions).
    public func mostConfused(_ limit: Int) -> [Confusion] {
        let all = confused.map { Confusion(actual: $0.key.actual, predicted: $0.key.predicted, count: $0.value) }
        return Array(
            all.sorted { ($1.count, $0.actual, $0.predicted) < ($0.count, $1.actual, $1.predicted) }.prefix(limit))
    }
}
