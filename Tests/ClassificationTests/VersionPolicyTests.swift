import Testing

@testable import Classification

struct VersionPolicyTests {
    private func policies(_ elements: [String]) throws(SettingsError) -> VersionPolicies {
        var settings = Settings()
        settings.modelVersions = elements
        return try VersionPolicies(settings)
    }

    @Test(
        arguments: [
            ([], .latest(1)), (["latest"], .latest(1)), (["latest:3"], .latest(3)), (["all"], .all),
            (["2"], .named([2])), (["2", "10", "2"], .named([2, 10])), (["b=all"], .latest(1)),
            (["all", "a=latest:2", "b=4"], .latest(2)), (["a=5", "all", "a=7"], .named([5, 7])),
        ] as [([String], VersionPolicy)])
    func readsTheSetting(elements: [String], policy: VersionPolicy) throws {
        #expect(try policies(elements)["a"] == policy)
    }

    @Test(
        arguments: [
            ["some"], [""], ["latest:"], ["latest:0"], ["latest:-1"], ["latest:two"], ["0"], ["-1"], ["01"], ["+1"],
            ["=all"], ["a="], ["a=b=all"], ["all", "latest"], ["all", "3"], ["3", "all"], ["a=latest", "a=4"], [" 1"],
            ["99999999999999999999"],
        ])
    func refusesWhatIsNoPolicy(elements: [String]) {
        #expect(
            throws: SettingsError.invalidValue(
                key: "modelVersions", value: "'\(elements.last!)'", origin: .default, allowed: VersionPolicy.allowed)
        ) { try policies(elements) }
    }

    /// It may come later.
    @Test func saysWhichModelIsNotThere() throws {
        let test = try TestService { $0.modelVersions = ["lite=all", "light=all"] }
        defer { test.stop() }
        let warnings = test.log.complaints
        #expect(warnings == ["modelVersions names 'light', and no model is called so; there is lite"])
    }

    @Test func refusesItBeforeAnythingStarts() {
        #expect(throws: SettingsError.self) { try Settings.load(flags: ["modelVersions": "latest,1"]) }
    }

    @Test(
        arguments: [
            (.latest(1), [10, 2, 1], [10]), (.latest(2), [10, 2, 1], [10, 2]), (.all, [10, 2, 1], [10, 2, 1]),
            (.named([1, 2, 7]), [2, 1], [2, 1]),
        ] as [(VersionPolicy, [Int], [Int])])
    func triesTheHighestFirst(policy: VersionPolicy, candidates: [Int], loaded: [Int]) {
        #expect(policy.candidates(of: [2, 10, 1]) == candidates)
        var count = 0
        let taken = candidates.filter { _ in
            defer { count += 1 }
            return !policy.isSatisfied(by: count)
        }
        #expect(taken == loaded)
    }
}
