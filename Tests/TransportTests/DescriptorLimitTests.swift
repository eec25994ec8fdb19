import Testing

@testable import Transport

struct DescriptorLimitTests {
    @Test func raisesUpToTheHardLimitAndNeverLowers() throws {
        let before = try DescriptorLimit.raise(to: 0)
        #expect(before > 0)
        #expect(try DescriptorLimit.raise(to: before) == before)
        let most = try DescriptorLimit.raise(to: .max)
        #expect(most >= before)
        #expect(try DescriptorLimit.raise(to: 1) == most)
    }
}
