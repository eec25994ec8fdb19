import Dispatch
import Logging
import Parallelism
import TestSupport
import Testing

@testable import Classification

struct LineWriterTests {
    @Test func dropsWhatNobodyReadsAndSaysHowMuch() {
        let gate = DispatchSemaphore(value: 0)
        let written = Lock<[String]>([])
        let writer = LineWriter(capacity: 3) { text in
            gate.wait()
            written.withLock { $0.append(text) }
        }
        // The reader is stuck: this must return all the same.
        for number in 0..<10 { writer("line \(number)") }
        for _ in 0..<3 { gate.signal() }
        #expect(eventually { written.withLock { $0.count } == 3 })
        #expect(written.withLock { $0 } == ["line 0\n", "line 1\n", "line 2\n"])
        for _ in 0..<3 { gate.signal() }
        #expect(
            eventually {
                writer("later")
                return written.withLock { $0.count } > 3
            })
        #expect(written.withLock { $0[3] } == "7 lines were dropped: nobody read them in time\nlater\n")
        for _ in 0..<2000 { gate.signal() }
    }

    @Test func formatsMetadataInOrder() {
        let written = Lock<[String]>([])
        let writer = LineWriter { text in written.withLock { $0.append(text) } }
        var logger = Logger(label: "x") { _ in LineLogHandler(level: .info, writer: writer) }
        logger[metadataKey: "b"] = "2"
        logger.debug("unseen")
        logger.warning("seen", metadata: ["a": "1"])
        #expect(eventually { written.withLock { $0.count } == 1 })
        #expect(written.withLock { $0[0] }.hasSuffix("Z warning seen a=1 b=2\n"))
    }
}
