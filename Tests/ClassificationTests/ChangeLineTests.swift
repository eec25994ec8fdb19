import Testing

@testable import Classification

struct ChangeLineTests {
    @Test func thoseWhoAskForTheSameWaitTogether() {
        var line = ChangeLine<Int>(capacity: 10)
        #expect(line.append(.load("a"), 1) == .begins)
        #expect(line.append(.load("b"), 2) == .begins)
        #expect(line.append(.load("a"), 3) == .joins)
        let first = line.popFirst()
        #expect(first?.change == .load("a") && first?.waiters == [1, 3])
        // What has begun may have read the files before they changed.
        #expect(line.append(.load("a"), 4) == .begins)
        #expect(line.popFirst()?.waiters == [2])
        #expect(line.popFirst()?.waiters == [4])
        #expect(line.popFirst() == nil)
    }

    @Test(
        arguments: [
            (.load("a"), .unload("a"), .load("a")), (.unload("a"), .load("a"), .unload("a")),
            (.load("a"), .reload, .load("a")), (.reload, .unload("a"), .reload), (.look, .load("a"), .look),
        ] as [(ModelChange, ModelChange, ModelChange)])
    func keepsTheOrderOfWhatDependsOnIt(first: ModelChange, second: ModelChange, third: ModelChange) {
        var line = ChangeLine<Int>(capacity: 10)
        for (index, change) in [first, second, third].enumerated() { #expect(line.append(change, index) == .begins) }
        for (index, change) in [first, second, third].enumerated() {
            let next = line.popFirst()
            #expect(next?.change == change && next?.waiters == [index])
        }
    }

    @Test func refusesWhatIsTooMuch() {
        var line = ChangeLine<Int>(capacity: 2)
        #expect(line.append(.load("a"), 1) == .begins)
        #expect(line.append(.load("b"), 2) == .begins)
        #expect(line.append(.load("c"), 3) == .isRefused)
        #expect(line.append(.load("b"), 4) == .joins)
    }

    @Test func tellsWhoWaitsWhenItCloses() {
        var line = ChangeLine<Int>(capacity: 10)
        _ = line.append(.load("a"), 1)
        _ = line.append(.reload, 2)
        #expect(line.close() == [1, 2])
        #expect(line.append(.load("a"), 3) == .isRefused && line.popFirst() == nil)
    }
}
