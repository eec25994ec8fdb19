import Checkpoints
import FoundationEssentials
import TestSupport
import Testing

struct DirectoryStateTests {
    private let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
        try directory.write([1, 2, 3], to: "m/model.json")
    }

    private var state: DirectoryState { DirectoryState(of: "\(directory.path)/m") }

    @Test func staysTheSameWhereNothingHappens() { #expect(state == state) }

    @Test(
        arguments: [
            { try $0.write([1, 2, 3, 4], to: "m/model.json") },
            { try $0.write([1], to: "m/labels.txt") },
            { try FileManager.default.removeItem(atPath: "\($0.path)/m/model.json") },
            { try FileManager.default.removeItem(atPath: "\($0.path)/m") },
            // Another file of the same size.
            {
                try $0.write([1, 2, 3], to: "other")
                try FileManager.default.removeItem(atPath: "\($0.path)/m/model.json")
                try FileManager.default.moveItem(atPath: "\($0.path)/other", toPath: "\($0.path)/m/model.json")
            },
        ] as [@Sendable (TemporaryDirectory) throws -> Void])
    func differsAfterAChange(change: @Sendable (TemporaryDirectory) throws -> Void) throws {
        let before = state
        try change(directory)
        #expect(state != before)
    }

    @Test func passesOverWhatBeginsWithADot() throws {
        let before = state
        try directory.write([1], to: "m/.model.json.partial")
        #expect(state == before)
    }

    /// As Kubernetes mounts a ConfigMap.
    @Test func followsLinks() throws {
        try directory.write([1, 2, 3], to: "first/labels.txt")
        try directory.write([1, 2, 3], to: "second/labels.txt")
        let link = "\(directory.path)/m/labels.txt"
        try FileManager.default.createSymbolicLink(
            atPath: link, withDestinationPath: "\(directory.path)/first/labels.txt")
        let before = state
        try FileManager.default.removeItem(atPath: link)
        try FileManager.default.createSymbolicLink(
            atPath: link, withDestinationPath: "\(directory.path)/second/labels.txt")
        #expect(state != before)
    }
}
