import TestSupport
import Testing

@testable import swiftlet

struct LabelledSetTests {
    let directory: TemporaryDirectory
    let classes = ClassNames(labels: ["cat", "crane", "dog", "crane", "7"])

    init() throws { directory = try TemporaryDirectory() }

    @Test func aLabelIsStrongerThanAnIndex() throws {
        func index(_ name: String) throws -> Int { try classes.index(of: name, at: "here") }
        #expect(try index("dog") == 2 && index("3") == 3 && index("7") == 4)
        #expect(throws: LabelledSetError.unknownClass(place: "here", name: "5", classCount: 5)) { try index("5") }
        #expect(throws: LabelledSetError.unknownClass(place: "here", name: "-1", classCount: 5)) { try index("-1") }
        #expect(throws: LabelledSetError.unknownClass(place: "here", name: "Dog", classCount: 5)) { try index("Dog") }
        #expect(throws: LabelledSetError.ambiguousClass(place: "here", name: "crane", indices: [1, 3])) {
            try index("crane")
        }
    }

    @Test func pathsAreRelativeToTheTable() throws {
        let path = try directory.write("class\tfile\ncat\ta.jpg\n\n2\t/b.jpg\n".utf8, to: "set.tsv")
        let set = try LabelledSet(table: path, classes: classes)
        #expect(set.items == [.init(path: "\(directory.path)/a.jpg", actual: 0), .init(path: "/b.jpg", actual: 2)])
    }

    @Test func faultsNameTheirPlace() throws {
        func error(_ table: String) throws -> LabelledSetError? {
            let path = try directory.write(table.utf8, to: "set.tsv")
            do { _ = try LabelledSet(table: path, classes: classes) } catch { return error }
            return nil
        }
        let path = "\(directory.path)/set.tsv"
        #expect(try error("") == .missingColumn(path: path, column: "file", found: []))
        #expect(try error("file\tkind\n") == .missingColumn(path: path, column: "class", found: ["file", "kind"]))
        #expect(try error("file\tclass\na.jpg\n") == .shortLine(path: path, line: 2))
        #expect(
            try error("file\tclass\na\t0\nb\tcow\n")
                == .unknownClass(place: "\(path), line 3", name: "cow", classCount: 5))
        #expect(try error("file\tclass\n") == .empty(path: path, expected: "a line for each"))
    }
}
