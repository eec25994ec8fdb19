import EfficientNet
import FoundationEssentials
import TestSupport
import Testing

@testable import swiftlet

/// `describe` and `scale`.
struct ArchitectureCommandTests {
    struct Summary: Decodable {
        struct Stage: Decodable {
            let parameters, macs, activation_bytes: Int
            let input_shape, output_shape: [Int]
        }
        let name: String
        let input_shape: [Int]
        let parameters, macs, activation_bytes: Int
        let stages: [Stage]
    }

    struct Scaling: Decodable {
        let phi, depth, width, constraint: Double
        let resolution: Int
        let model: Summary
    }

    func json<Value: Decodable>(_ text: String, as type: Value.Type = Value.self) throws -> Value {
        try JSONDecoder().decode(type, from: Data(text.utf8))
    }

    /// Source: torchvision's documentation of EfficientNet_B0_Weights.
    @Test func describesB0AsPublished() throws {
        let summary: Summary = try json(DescribeCommand.parse(["b0", "--format", "json"]).text())
        #expect(summary.name == "efficientnet_b0" && summary.parameters == 5_288_548)
        #expect(summary.input_shape == [3, 224, 224])
        #expect(summary.stages.reduce(0) { $0 + $1.parameters } == summary.parameters)
        #expect(summary.stages.reduce(0) { $0 + $1.macs } == summary.macs)
        #expect(summary.stages.reduce(0) { $0 + $1.activation_bytes } == summary.activation_bytes)
    }

    @Test func describesAnotherInputSize() throws {
        let summary: Summary = try json(
            DescribeCommand.parse(["Lite0", "--input-size", "97", "--format", "json"]).text())
        #expect(summary.input_shape == [3, 97, 97])
        #expect(summary.stages.first?.output_shape == [32, 49, 49])
    }

    @Test(arguments: Variant.all.map(\.name)) func everyVariantHasATable(_ name: String) throws {
        let lines = try DescribeCommand.parse([name]).text().split(separator: "\n")
        #expect(lines[0].hasPrefix("EfficientNet"))
        #expect(lines.contains { $0.hasPrefix("stem ") } && lines.contains { $0.hasPrefix("classifier ") })
        #expect(lines.last?.hasPrefix("total ") == true)
    }

    @Test func phiZeroIsB0() throws {
        let scaling: Scaling = try json(ScaleCommand.parse(["--phi", "0", "--format", "json"]).text())
        #expect((scaling.depth, scaling.width, scaling.resolution) == (1, 1, 224))
        #expect(scaling.model.parameters == 5_288_548)
    }

    /// Source: arXiv 1905.11946, α = 1.2, β = 1.1, γ = 1.15 and their constraint.
    @Test func phiRaisesTheThreeBases() throws {
        let scaling: Scaling = try json(ScaleCommand.parse(["--phi", "2", "--format", "json"]).text())
        #expect(abs(scaling.depth - 1.44) < 1e-12 && abs(scaling.width - 1.21) < 1e-12)
        #expect(scaling.resolution == 296)
        #expect(abs(scaling.constraint - 1.92027) < 1e-9)
        #expect(scaling.model.input_shape == [3, 296, 296])
        let other: Scaling = try json(
            ScaleCommand.parse(["--phi", "1", "--alpha", "2", "--beta", "1", "--gamma", "1", "--format", "json"]).text()
        )
        #expect((other.depth, other.width, other.resolution, other.constraint) == (2, 1, 224, 2))
    }

    @Test func theTableOfScaleHasFactorsAndModel() throws {
        let text = try ScaleCommand.parse(["--phi", "1.5"]).text()
        #expect(text.contains("depth α^φ = 1.315") && text.contains("α·β²·γ² = 1.920") && text.contains("STAGE"))
    }
}
