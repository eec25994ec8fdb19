import Classification
import FoundationEssentials
import Inference
import Testing

@testable import swiftlet

/// How results look.
struct TextTests {
    @Test func columnsAreAsWideAsTheirWidestCell() {
        var table = TextTable([("NAME", .left), ("COUNT", .right)])
        table.add(["a", "1"])
        table.add(["longer", "1234567"])
        #expect(table.text == "NAME      COUNT\na             1\nlonger  1234567\n")
    }

    @Test func aTableWithoutTitlesHasNoLineForThem() {
        var table = TextTable([("", .left), ("", .left)])
        table.add(["a", ""])
        #expect(table.text == "a\n")
    }

    @Test func noCellDrivesATerminalOrBeginsALine() {
        var table = TextTable([("", .left)])
        table.add(["a\u{1B}[2J\nb\u{9B}"])
        #expect(table.text == "a\\u001b[2J\\nb\\u009b\n")
    }

    @Test func jsonIsTheSameWhenItIsWritten() throws {
        let text = try JSONText.line(["name": "a\u{9B}2J\u{202E}\n"])
        let written = LogValue.escaped(text, keepsNewlines: true)
        #expect(!written.dropLast().unicodeScalars.contains(where: LogValue.isUnsafe))
        let read = try JSONDecoder().decode([String: String].self, from: Data(written.utf8))
        #expect(read == ["name": "a\u{9B}2J\u{202E}\n"])
    }

    @Test func numbersAreRounded() {
        #expect(NumberText.fixed(1.005, 1) == "1.0" && NumberText.fixed(0.96, 1) == "1.0")
        #expect(NumberText.fixed(0.04, 1) == "0.0" && NumberText.fixed(-0.04, 1) == "0.0")
        #expect(NumberText.fixed(-1.25, 2) == "-1.25" && NumberText.fixed(12.5, 0) == "13")
        #expect(NumberText.fixed(.infinity, 1) == "inf" && NumberText.fixed(.nan, 1) == "nan")
        #expect(NumberText.percent(0.904) == "90.4 %")
    }

    @Test func digitsAreGroupedByThree() {
        #expect([0, 12, 123, 1234, -1_234_567].map(NumberText.grouped) == ["0", "12", "123", "1,234", "-1,234,567"])
    }

    @Test func csvQuotesWhatItMust() {
        #expect(ClassificationWriter.quoted("plain label") == "plain label")
        #expect(ClassificationWriter.quoted("a,b") == "\"a,b\"")
        #expect(ClassificationWriter.quoted("a\"b\n") == "\"a\"\"b\n\"")
        #expect(ClassificationWriter.quoted("a\rb") == "\"a\rb\"")
        // One character for people, two for whoever reads the file.
        #expect(ClassificationWriter.quoted("a,\u{301}b") == "\"a,\u{301}b\"")
        #expect(ClassificationWriter.quoted("a\"\u{301}b") == "\"a\"\"\u{301}b\"")
    }

    /// The same label as data and on a terminal.
    @Test func labelsBeginNoLineOfATerminal() throws {
        let image = ClassifiedImage(
            width: 2, height: 3, predictions: [Prediction(index: 0, probability: 0.5)])
        func text(_ format: ClassifyCommand.Format, isShown: Bool) throws -> String {
            try ClassificationWriter(format: format, labels: ["a,\n\u{1B}\u{2028}b"], isShown: isShown)
                .text(file: "f\n.jpg", image)
        }
        #expect(try text(.csv, isShown: false) == "\"f\n.jpg\",2,3,1,0,\"a,\n\u{1B}\u{2028}b\",0.5\n")
        #expect(try text(.csv, isShown: true) == #"f\n.jpg,2,3,1,0,"a,\n\u001b\u2028b",0.5"# + "\n")
        #expect(try text(.table, isShown: true).hasPrefix(#"f\n.jpg  2×3"# + "\n"))
        #expect(try text(.table, isShown: true).split(separator: "\n").count == 2)
        #expect(try text(.json, isShown: true).split(separator: "\n").count == 1)
    }

    @Test func theProgressBarFills() {
        #expect(ProgressBar.line(done: 0, of: 4, seconds: 0).hasPrefix("[------------------------------] 0/4, 0 "))
        #expect(ProgressBar.line(done: 4, of: 4, seconds: 2) == "[##############################] 4/4, 2 images/s")
    }
}
