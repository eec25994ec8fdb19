import Dispatch
import Testing

@testable import Telemetry

struct MetricTests {
    @Test func losesNoUpdateOfConcurrentThreads() {
        let (counter, gauge, histogram) = (Counter(), Gauge(), Histogram(bounds: [1, 2]))
        DispatchQueue.concurrentPerform(iterations: 3000) { step in
            counter.increment(by: 2)
            gauge.add(step % 2 == 0 ? 1.5 : -0.5)
            histogram.observe(Double(step % 3 + 1))
        }
        #expect(counter.value == .number(6000))
        #expect(gauge.value == .number(1500))
        #expect(histogram.value == .histogram(bounds: [1, 2], counts: [1000, 1000, 1000], sum: 6000))
    }

    @Test(arguments: [
        (0.0, 0), (1, 0), (1.0000001, 1), (2.5, 1), (2.6, 2), (.infinity, 2), (-.infinity, 0),
    ]) func aBucketIncludesItsUpperEnd(value: Double, bucket: Int) {
        let histogram = Histogram(bounds: [1, 2.5])
        histogram.observe(value)
        var counts = [0, 0, 0]
        counts[bucket] = 1
        #expect(histogram.value == .histogram(bounds: [1, 2.5], counts: counts, sum: value))
    }

    @Test func aValueThatIsNoNumberDoesNotSpoilTheSum() {
        let histogram = Histogram(bounds: [1])
        histogram.observe(.nan)
        histogram.observe(0.5)
        #expect(histogram.value == .histogram(bounds: [1], counts: [1, 0], sum: 0.5))
    }

    @Test func aComputedGaugeAsksEachTime() {
        let counter = Counter()
        let gauge = Gauge(computedBy: {
            counter.increment()
            return 7
        })
        #expect(counter.value == .number(0))
        #expect(gauge.value == .number(7))
        #expect(gauge.value == .number(7))
        #expect(counter.value == .number(2))
    }

    @Test func theSameLabelsGiveTheSameHandle() {
        let family = Registry().counter("a_total", "A.", labels: ["x", "y"])
        #expect(family.with("1", "2") === family.with("1", "2"))
        #expect(family.with("1", "2") !== family.with("2", "1"))
    }
}
