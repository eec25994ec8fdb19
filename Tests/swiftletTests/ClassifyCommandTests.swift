import Classification
import FoundationEssentials
import TestSupport
import Testing

@testable import swiftlet

/// `classify` and `evaluate`, with the bundled model.
struct ClassifyCommandTests {
    struct Line: Decodable, Equatable {
        struct Prediction: Decodable, Equatable {
            let index: Int
            let label: String
            let probability: Float
        }
        let file: String
        let width, height: Int
        let predictions: [Prediction]
    }

    struct Report: Decodable {
        struct Confusion: Decodable {
            let actual_index, predicted_index, count: Int
        }
        let top1, top5: Double
        let images, failed: Int
        let confusions: [Confusion]
    }

    static let models = Fixtures.repositoryRoot + "/models"
    static let pictures = ["420.jpg", "444.jpg", "grayscale.jpg", "progressive.jpg", "orientation-6.jpg", "cmyk.jpg"]

    let directory: TemporaryDirectory

    /// Six pictures in a tree, and things that are none.
    init() throws {
        directory = try TemporaryDirectory()
        for (index, name) in Self.pictures.enumerated() {
            let place =
                index < 3 ? "photos/\(index).jpg" : index < 5 ? "photos/more/\(index).JPEG" : "photos/.hidden/5.jpg"
            try directory.write(Fixtures.bytes("jpeg/\(name)"), to: place)
        }
        try directory.write("not a picture".utf8, to: "photos/notes.txt")
    }

    func classify(_ arguments: String..., standardInput: String = "/dev/null") throws -> CommandRun {
        try CommandRun(
            ["classify", "--models", Self.models] + arguments, standardInput: standardInput, directory: directory)
    }

    func lines(_ run: CommandRun) throws -> [Line] {
        try run.output.split(separator: "\n").map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
    }

    @Test func directoriesAreSearchedToTheirEndsInOrder() throws {
        let run = try classify("--format", "json", "photos")
        #expect(run.status == 0 && run.errors.isEmpty, "\(run.errors)")
        let lines = try lines(run)
        #expect(
            lines.map(\.file) == [
                "photos/0.jpg", "photos/1.jpg", "photos/2.jpg", "photos/more/3.JPEG", "photos/more/4.JPEG",
            ])
        for line in lines {
            #expect(line.predictions.count == 5 && line.width > 0 && line.height > 0)
            #expect(line.predictions.map(\.probability) == line.predictions.map(\.probability).sorted(by: >))
        }
    }

    @Test func allProbabilitiesAddUpToOneAndLabelsAreTheModels() throws {
        let line = try #require(try lines(classify("--format", "json", "--top-k", "1000", "photos/0.jpg")).first)
        #expect(abs(line.predictions.reduce(0) { $0 + $1.probability } - 1) < 1e-4)
        #expect(line.predictions.first { $0.index == 0 }?.label == "tench")
    }

    @Test func resultsDependNeitherOnThreadsNorOnNeighbours() throws {
        let many = try lines(classify("--format", "json", "--threads", "3", "photos", "photos", "photos"))
        #expect(many.count == 15)
        let alone = try lines(classify("--format", "json", "--threads", "1", "photos/1.jpg"))
        #expect(many.filter { $0.file == "photos/1.jpg" } == [alone[0], alone[0], alone[0]])
    }

    @Test func whatCannotBeReadIsNamedAndTheRestGoesOn() throws {
        let run = try classify("--format", "json", "photos/0.jpg", "missing.jpg", "photos/notes.txt", "photos/1.jpg")
        #expect(run.status == 1)
        #expect(try lines(run).map(\.file) == ["photos/0.jpg", "photos/1.jpg"])
        let errors = run.errors.split(separator: "\n")
        #expect(errors.count == 2 && errors[0].contains("missing.jpg") && errors[1].contains("photos/notes.txt"))
    }

    @Test func picturesOfEveryFormatAreFound() throws {
        try directory.write(Fixtures.bytes("png/indexed-8.png"), to: "mixed/a.PNG")
        try directory.write(Fixtures.bytes("webp/lossy.webp"), to: "mixed/b.webp")
        try directory.write(Fixtures.bytes("jpeg/420.jpg"), to: "mixed/c.jpe")
        try directory.write("GIF89a".utf8, to: "mixed/d.gif")
        let lines = try lines(classify("--format", "json", "mixed"))
        #expect(lines.map(\.file) == ["mixed/a.PNG", "mixed/b.webp", "mixed/c.jpe"])
        #expect(lines.map { [$0.width, $0.height] } == [[13, 11], [33, 21], [97, 61]])
        let foreign = try classify("mixed/d.gif")
        #expect(foreign.status == 1 && foreign.errors.contains("not a JPEG, PNG or WebP image: GIF"))
    }

    @Test func aDirectoryWithoutPicturesIsNamed() throws {
        try directory.write("x".utf8, to: "empty/readme")
        let run = try classify("empty")
        #expect(run.status == 1 && run.errors.contains("empty: no images"))
    }

    @Test func linksToDirectoriesDoNotMakeATreeEndless() throws {
        try FileManager.default.createSymbolicLink(
            atPath: "\(directory.path)/photos/more/up", withDestinationPath: "\(directory.path)/photos")
        #expect(try lines(classify("--format", "json", "photos")).count == 5)
    }

    @Test func dashIsStandardInput() throws {
        let file = try lines(classify("--format", "json", "photos/0.jpg"))
        let input = try lines(
            classify("--format", "json", "-", standardInput: "\(directory.path)/photos/0.jpg"))
        #expect(input.map(\.file) == ["-"])
        #expect(input[0].predictions == file[0].predictions)
    }

    @Test func tableAndCSVSayTheSame() throws {
        let line = try #require(try lines(classify("--format", "json", "--top-k", "2", "photos/0.jpg")).first)
        let csv = try classify("--format", "csv", "--top-k", "2", "photos/0.jpg").output.split(separator: "\n")
        #expect(csv.count == 3 && csv[0] == "file,width,height,rank,index,label,probability")
        #expect(csv[1].hasPrefix("photos/0.jpg,\(line.width),\(line.height),1,\(line.predictions[0].index),"))
        let table = try classify("--top-k", "2", "photos/0.jpg").output
        #expect(table.hasPrefix("photos/0.jpg  \(line.width)×\(line.height)\n"))
        #expect(table.split(separator: "\n").count == 3 && table.contains(line.predictions[1].label))
    }

    @Test(arguments: ["0", "1001", "-1"]) func topKIsOneToTheNumberOfClasses(_ count: String) throws {
        let run = try classify("--top-k=\(count)", "photos/0.jpg")
        #expect(run.status == 64 && run.errors.contains("1 to 1000"))
    }

    /// CSV is data, of which nothing is changed; on a terminal it is text.
    @Test(arguments: ["table", "csv"]) func namesOfFilesDriveNoTerminal(_ format: String) throws {
        let name = "a\u{1B}[2J\u{9B},\nb.jpg"
        try directory.write(Fixtures.bytes("jpeg/420.jpg"), to: name)
        let file = try classify("--format", format, name)
        #expect(file.status == 0 && file.output.contains(name) == (format == "csv"), "\(file.output.debugDescription)")
        let terminal = try PseudoTerminal()
        let run = try CommandRun(
            ["classify", "--models", Self.models, "--format", format, name], standardOutput: terminal.path,
            directory: directory)
        let shown = terminal.text()
        // No name begins a line.
        #expect(run.status == 0 && shown.contains(#"a\u001b[2J\u009b,\nb.jpg"#), "\(shown.debugDescription)")
        #expect(!shown.unicodeScalars.contains { LogValue.isUnsafe($0) && !"\r\n".unicodeScalars.contains($0) })
    }

    // MARK: evaluate

    func evaluate(_ arguments: String...) throws -> (run: CommandRun, report: Report) {
        let run = try CommandRun(
            ["evaluate", "--models", Self.models, "--format", "json"] + arguments, directory: directory)
        return (run, try JSONDecoder().decode(Report.self, from: Data(run.output.utf8)))
    }

    /// Three pictures, their classes by the model itself: the first right, the second fifth, the third wrong.
    func actual() throws -> [Int] {
        let lines = try lines(classify("--format", "json", "photos/0.jpg", "photos/1.jpg", "photos/2.jpg"))
        let third = Set(lines[2].predictions.map(\.index))
        return [
            lines[0].predictions[0].index, lines[1].predictions[4].index,
            try #require((0..<1000).first { !third.contains($0) }),
        ]
    }

    /// The layout is said, and what was found in its place.
    @Test func whatIsNoDirectoryOfClassesIsTold() throws {
        try directory.write([], to: "empty/.hidden")
        try directory.write([], to: "hollow/0/notes.txt")
        try directory.write([], to: "hollow/1/.hidden.jpg")
        for (path, found) in [
            ("photos/more/", "photos/more has 2 images of its own and no folders"),
            ("empty", "empty has 0 images of its own and no folders"),
            ("hollow", "hollow has 0 images of its own and no images in its 2 folders"),
        ] {
            let run = try CommandRun("evaluate", path, "--models", Self.models, directory: directory)
            #expect(run.status == 1 && run.output.isEmpty)
            #expect(run.errors.hasPrefix("Error: \(found); expected a folder for each class"), "\(run.errors)")
            #expect(run.errors.contains("--labels-file"), "\(run.errors)")
        }
    }

    @Test func evaluatesATable() throws {
        let classes = try actual()
        var table = "note\tclass\tfile\r\n"
        for (index, actual) in classes.enumerated() { table += "x\t\(actual)\t\(index).jpg\r\n" }
        try directory.write(table.utf8, to: "photos/set.tsv")
        let (run, report) = try evaluate("photos/set.tsv")
        #expect(run.status == 0 && run.errors.isEmpty, "\(run.errors)")
        #expect((report.images, report.failed) == (3, 0))
        #expect(abs(report.top1 - 1 / 3) < 1e-9 && abs(report.top5 - 2 / 3) < 1e-9)
        #expect(report.confusions.map(\.count) == [1, 1])
        #expect(Set(report.confusions.map(\.actual_index)) == Set(classes.dropFirst()))
        try directory.write(table.utf8, to: "elsewhere.tsv")
        #expect(try evaluate("photos", "--labels-file", "elsewhere.tsv").report.top1 == report.top1)
    }

    @Test func evaluatesAFolderPerClassByIndexOrLabel() throws {
        let classes = try actual()
        for (index, name) in ["\(classes[0])", "goldfish"].enumerated() {
            try directory.write(Fixtures.bytes("jpeg/\(Self.pictures[0])"), to: "set/\(name)/\(index).jpg")
        }
        let (run, report) = try evaluate("set")
        #expect(run.status == 0 && report.images == 2)
        #expect(report.top1 == (classes[0] == 1 ? 1 : 0.5))
    }

    @Test func aMissingImageIsNamedAndNotCounted() throws {
        try directory.write("file\tclass\n0.jpg\t0\nmissing.jpg\t0\n".utf8, to: "photos/set.tsv")
        let (run, report) = try evaluate("photos/set.tsv")
        #expect(run.status == 1 && run.errors.contains("photos/missing.jpg"))
        #expect((report.images, report.failed) == (1, 1))
    }
}
