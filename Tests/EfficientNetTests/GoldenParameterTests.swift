import EfficientNet
import TestSupport
import Testing

/// PyTorch's own state dicts, see Tests/Fixtures/NOTICE.
struct GoldenParameterTests {
    @Test(arguments: Golden.bundled) func namesAndShapesEqualPyTorchs(file: String) throws {
        let golden = try Golden(file)
        let architecture = try Architecture(named: golden.architectureName, dialect: golden.dialect)
        var expected = golden.stateDict
        for name in expected.keys where Dialect.isBookkeeping(name) { expected[name] = nil }
        var actual: [String: [Int]] = [:]
        for (parameter, shape) in architecture.parameters() {
            #expect(actual.updateValue(shape, forKey: architecture.name(of: parameter, in: golden.dialect)) == nil)
        }
        #expect(actual == expected)
        #expect(architecture.parameterCount == golden.parameters)
        #expect(Dialect(recognizing: golden.stateDict.keys) == golden.dialect)
    }
}
