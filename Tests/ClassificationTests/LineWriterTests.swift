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

    @Test func writesWhatHasWaitedTogether() {
        let gate = DispatchSemaphore(value: 0)
        let written = Lock<[String]>([])
        let writer = LineWriter(capacity: 6, pieceBytes: 20, format: .json) { text in
            gate.wait()
            written.withLock { $0.append(text) }
            return 0
        }
        // Whichever are taken with the first, the others wait for it.
        for number in 0..<9 { writer("line \(number)") }
        for _ in 0..<20 { gate.signal() }
        #expect(eventually { written.withLock { $0.joined() } == (0..<6).map { "line \($0)\n" }.joined() })
        #expect(written.withLock { $0.count } < 6)
        writer("later")
        #expect(eventually { written.withLock { $0.last }?.hasSuffix("\nlater\n") == true })
        let notice = written.withLock { $0.last! }.split(separator: "\n")[0]
        #expect(notice.hasPrefix("{\"time\":\"2") && notice.contains("\"message\":\"3 lines were dropped"))
    }

    @Test func findsTimeForOthersWhileLinesNeverEnd() {
        let itself = Lock<LineWriter?>(nil)
        let writer = LineWriter { _ in
            itself.withLock { $0 }?("another")
            return 0
        }
        itself.withLock { $0 = writer }
        writer("the first")
        let done = Signal<Void>()
        writer.afterLines { done.send(()) }
        #expect(done.wait() != nil)
        itself.withLock { $0 = nil }
    }

    @Test func writesJSONThatHoldsAnyMessage() throws {
        struct Entry: Decodable {
            var time, level, message: String
            var metadata: [String: String]?
        }
        let written = Lock<[String]>([])
        let writer = LineWriter(format: .json) { text in
            written.withLock { $0.append(text) }
            return 0
        }
        let logger = Logger(label: "x") { _ in LineLogHandler(level: .info, format: .json, writer: writer) }
        logger.warning("two\nlines, \"quoted\" \\ 鳥", metadata: ["b": "2", "a": "\u{1}"])
        logger.info("nothing else")
        #expect(eventually { written.withLock { $0.count } == 2 })
        let entries = try written.withLock { $0 }.map { try decodeJSON(Entry.self, Array($0.utf8)) }
        #expect(written.withLock { $0 }.allSatisfy { $0.split(separator: "\n").count == 1 })
        #expect(entries[0].message == "two\nlines, \"quoted\" \\ 鳥" && entries[0].level == "warning")
        #expect(entries[0].metadata == ["a": "\u{1}", "b": "2"] && entries[1].metadata == nil)
        #expect(entries.allSatisfy { $0.time.utf8.count == 24 && $0.time.hasSuffix("Z") })
    }

    @Test func writesNumbersAsNumbersAndTextAsText() {
        let entry = LogFormat.json(
            .info, "m",
            [
                "a": .stringConvertible(-12), "b": .stringConvertible(UInt64.max), "c": .stringConvertible(0.25),
                "d": .stringConvertible(1e-7), "e": .stringConvertible(Double.nan), "f": "0012", "g": "1e5",
                "h": "\(7)", "i": .stringConvertible("8"), "j": .dictionary(["k": .stringConvertible(9)]),
            ])
        #expect(
            entry.hasSuffix(
                #""message":"m","metadata":{"a":-12,"b":18446744073709551615,"c":0.25,"d":1e-07,"e":"nan","f":"0012","#
                    + #""g":"1e5","h":"7","i":"8","j":{"k":9}}}"#), "\(entry)")
    }

    @Test(
        arguments: [
            ("word", "word"), ("[\"a\", \"b\"]", #""[\"a\", \"b\"]""#), ("two words", "\"two words\""), ("", "\"\""),
            ("a=b", "\"a=b\""), ("a\nb\tc\rd", #""a\nb\tc\rd""#), (#"\"#, #""\\""#), ("\u{1B}[0m", #""\u001b[0m""#),
            ("é/-.:'", "é/-.:'"),
            ("a\u{2028}b\u{9B}", #""a\u2028b\u009b""#), ("\u{85}\u{202E}", #""\u0085\u202e""#),
        ])
    func quotesValuesThatAreNoWord(value: String, text: String) { #expect(LogValue.text(value) == text) }

    @Test func whatIsEscapedIsTheSameJSONAndDrivesNoTerminal() throws {
        let text = "a\u{1B}[2J\u{9B}31m\u{202E}\u{7F}\u{61C}\nb\tc\r鳥"
        #expect(LogValue.escaped(text) == #"a\u001b[2J\u009b31m\u202e\u007f\u061c\nb\tc\r鳥"#)
        #expect(LogValue.escaped(text, keepsNewlines: true).split(separator: "\n").count == 2)
        #expect(LogValue.escaped("two\nlines", keepsNewlines: true) == "two\nlines")
        let json = LogFormat.json(.warning, "\u{9B}1m\u{202E}", [:])
        struct Entry: Decodable { var message: String }
        let escaped = LogValue.escaped(json)
        #expect(!escaped.unicodeScalars.contains(where: LogValue.isUnsafe) && escaped != json)
        #expect(try decodeJSON(Entry.self, Array(escaped.utf8)).message == "\u{9B}1m\u{202E}")
    }

    @Test(arguments: [LogFormat.text, .json]) func noMessageDrivesATerminalOrBeginsALine(format: LogFormat) {
        let written = Lock<[String]>([])
        let writer = LineWriter(format: format) { text in
            written.withLock { $0.append(text) }
            return 0
        }
        let logger = Logger(label: "x") { _ in LineLogHandler(level: .info, format: format, writer: writer) }
        logger.info("a\u{1B}[2J\nb\u{9B}\u{202E}", metadata: ["c": "\u{9B}2J"])
        #expect(eventually { written.withLock { $0.count } == 1 })
        let line = written.withLock { $0[0] }
        #expect(line.dropLast().unicodeScalars.allSatisfy { !LogValue.isUnsafe($0) } && line.last == "\n", "\(line)")
    }

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
