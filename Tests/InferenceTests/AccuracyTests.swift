import Inference
import Testing

struct AccuracyTests {
    private static func predictions(_ indices: [Int]) -> [Prediction] {
        indices.map { Prediction(index: $0, probability: 0.1) }
    }

    @Test func countsTheFirstAndTheFirstFive() {
        var accuracy = Accuracy()
        accuracy.count(actual: 7, predictions: Self.predictions([7, 1, 2, 3, 4]))
        accuracy.count(actual: 7, predictions: Self.predictions([1, 2, 3, 4, 7]))
        accuracy.count(actual: 7, predictions: Self.predictions([1, 2, 3, 4, 5, 7]))
        accuracy.count(actual: 7, predictions: Self.predictions([1]))
        #expect(accuracy.images == 4)
        #expect(accuracy.top1 == 0.25)
        #expect(accuracy.top5 == 0.5)
    }

    @Test func noImagesAreNoAccuracy() {
        #expect(Accuracy().top1 == 0 && Accuracy().top5 == 0 && Accuracy().mostConfused(3).isEmpty)
    }

    @Test func listsTheMostFrequentConfusionsFirst() {
        var accuracy = Accuracy()
        for (actual, predicted) in [(3, 4), (1, 2), (1, 2), (5, 5), (2, 1), (1, 0)] {
            accuracy.count(actual: actual, predictions: Self.predictions([predicted]))
        }
        #expect(
            accuracy.mostConfused(3) == [
                .init(actual: 1, predicted: 2, count: 2), .init(actual: 1, predicted: 0, count: 1),
                .init(actual: 2, predicted: 1, count: 1),
            ])
    }
}
