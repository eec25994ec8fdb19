import Dispatch
import Logging
import Parallelism
import Telemetry
import TestSupport
import Testing

@testable import Classification

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

struct LineWriterTests {
    @Test func dropsWhatNobodyReadsAndSaysHowMuch() {
        let gate = DispatchSemaphore(value: 0)
        let written = Lock<[String]>([])
        let writer = LineWriter(capacity: 3) { text in
            gate.wait()
            written.withLock { $0.append(text) }
            return 0
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

    @Test func saysWhatCouldNotBeWrittenOnceItCan() {
        let written = Lock<[String]>([])
        let isFull = Lock(true)
        let writer = LineWriter { text in
            if isFull.withLock({ $0 }) { return ENOSPC }
            written.withLock { $0.append(text) }
            return 0
        }
        let lost = Counter()
        writer.countLosses(with: lost)
        writer("one")
        writer("two")
        #expect(eventually { lost.value == .number(2) })
        isFull.withLock { $0 = false }
        writer("three")
        writer("four")
        #expect(eventually { written.withLock { $0.count } == 2 })
        #expect(
            written.withLock { $0 } == [
                "\n2 lines could not be written: No space left on device\nthree\n", "four\n",
            ])
        #expect(lost.value == .number(2))
    }

    @Test(
        arguments: [
            ("word", "word"), ("[\"a\", \"b\"]", #""[\"a\", \"b\"]""#), ("two words", "\"two words\""), ("", "\"\""),
            ("a=b", "\"a=b\""), ("a\nb\tc\rd", #""a\nb\tc\rd""#), (#"\"#, #""\\""#), ("\u{1B}[0m", #""\u001b[0m""#),
            ("é/-.:'", "é/-.:'"),
        ])
    func quotesValuesThatAreNoWord(value: String, text: String) { #expect(LogValue.text(value) == text) }

    @Test func formatsMetadataInOrder() {
        let written = Lock<[String]>([])
        let writer = LineWriter { text in
            written.withLock { $0.append(text) }
            return 0
        }
        var logger = Logger(label: "x") { _ in LineLogHandler(level: .info, writer: writer) }
        logger[metadataKey: "b"] = "2"
        logger.debug("unseen")
        logger.warning("seen", metadata: ["a": "1 or 2"])
        #expect(eventually { written.withLock { $0.count } == 1 })
        #expect(written.withLock { $0[0] }.hasSuffix("Z warning seen a=\"1 or 2\" b=2\n"))
    }
}
