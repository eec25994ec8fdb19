import TestSupport
import Testing

extension FuzzTarget: CustomTestStringConvertible {
    public var testDescription: String { name }
}

/// What `scripts/fuzz` looks for without end, for a moment in every run: the stored inputs, with all that was ever found,
/// and random changes of them.
struct FuzzTests {
    @Test(arguments: FuzzTarget.all) func holdsForEveryStoredInput(_ target: FuzzTarget) throws {
        let seeds = try Seeds.read(target.name)
        #expect(seeds.count >= 5)
        for seed in seeds { #expect(target.check(seed) == nil, "\(seed)") }
    }

    @Test(arguments: FuzzTarget.all) func holdsForEveryBeginningOfAStoredInput(_ target: FuzzTarget) throws {
        for seed in try Seeds.read(target.name) {
            for count in 0..<min(seed.count, 400) {
                #expect(target.check(Array(seed[..<count])) == nil, "\(seed[..<count])")
            }
        }
    }

    @Test(arguments: FuzzTarget.all) func holdsForRandomChanges(_ target: FuzzTarget) throws {
        let seed = UInt64.random(in: 0 ... .max)
        var mutator = Mutator(seeds: try Seeds.read(target.name), maximumBytes: target.maximumBytes, seed: seed)
        for _ in 0..<20_000 {
            let bytes = mutator.next()
            guard let complaint = target.check(bytes) else { continue }
            Issue.record("\(complaint), seed \(seed): \(bytes)")
            return
        }
    }

    @Test func targetsHaveNamesOfTheirOwn() {
        #expect(Set(FuzzTarget.all.map(\.name)).count == FuzzTarget.all.count)
    }
}
