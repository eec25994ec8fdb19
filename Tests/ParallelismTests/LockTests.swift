import Dispatch
import Testing

@testable import Parallelism

struct LockTests {
    @Test func countsEveryIncrementOfConcurrentThreads() {
        let counter = Lock(0)
        DispatchQueue.concurrentPerform(iterations: 1000) { _ in counter.withLock { $0 += 1 } }
        #expect(counter.withLock { $0 } == 1000)
    }
}

struct InstantTests {
    @Test func saturatesInsteadOfOverflowing() {
        #expect(Instant(nanoseconds: .max - 1).advanced(byNanoseconds: 5) == Instant(nanoseconds: .max))
        #expect(Instant(nanoseconds: 7).advanced(byNanoseconds: -5) == Instant(nanoseconds: 2))
    }
}
