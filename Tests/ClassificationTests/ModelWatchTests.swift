import Checkpoints
import TestSupport
import Testing

@testable import Classification

struct ModelWatchTests {
    private let directory: TemporaryDirectory
    private let empty: DirectoryState
    private let half: DirectoryState
    private let whole: DirectoryState

    init() throws {
        directory = try TemporaryDirectory()
        empty = DirectoryState(of: directory.path)
        try directory.write([1], to: "model.json")
        half = DirectoryState(of: directory.path)
        try directory.write([1, 2], to: "model.json")
        whole = DirectoryState(of: directory.path)
    }

    @Test func namesWhatStaysAsItIs() {
        var watch = ModelWatch()
        watch.handle("old", as: [1: whole])
        #expect(watch.look(at: ["old": [1: whole]]) == [])
        // Being copied.
        #expect(watch.look(at: ["old": [1: whole], "new": [1: empty]]) == [])
        #expect(watch.look(at: ["old": [1: whole], "new": [1: half]]) == [])
        #expect(watch.look(at: ["old": [1: whole], "new": [1: whole]]) == [])
        #expect(watch.look(at: ["old": [1: whole], "new": [1: whole]]) == ["new"])
        watch.handle("new", as: [1: whole])
        #expect(watch.look(at: ["old": [1: whole], "new": [1: whole]]) == [])
    }

    @Test func namesWhatWasHandledTooEarlyOnceItIsWhole() {
        var watch = ModelWatch()
        watch.handle("a", as: [1: half])
        #expect(watch.look(at: ["a": [1: half]]) == [])
        #expect(watch.look(at: ["a": [1: half]]) == [])
        #expect(watch.look(at: ["a": [1: whole]]) == [])
        #expect(watch.look(at: ["a": [1: whole]]) == ["a"])
    }

    @Test func namesWhatHasANewVersionOrLostOne() {
        var watch = ModelWatch()
        watch.handle("a", as: [1: whole])
        watch.handle("b", as: [1: whole, 2: whole])
        let models: [String: ModelWatch.Model] = ["a": [1: whole, 2: whole], "b": [1: whole]]
        #expect(watch.look(at: models) == [])
        #expect(watch.look(at: models) == ["a", "b"])
    }

    /// It may only be on its way from one directory to another.
    @Test func namesWhatIsGoneOnceItStaysAway() {
        var watch = ModelWatch()
        watch.handle("a", as: [1: whole])
        #expect(watch.look(at: [:]) == [])
        #expect(watch.look(at: ["a": [1: whole]]) == [])
        #expect(watch.look(at: [:]) == [])
        #expect(watch.look(at: [:]) == ["a"])
        watch.handle("a", as: [:])
        #expect(watch.look(at: [:]) == [])
    }
}
