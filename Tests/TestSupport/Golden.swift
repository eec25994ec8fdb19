import EfficientNet
import FoundationEssentials

/// Reference logits of a synthetic checkpoint, computed by PyTorch in float64 (see Tests/Fixtures/NOTICE).
public struct Golden: Sendable {
    /// Such as `torchvision:efficientnet_b0`.
    public let variant: String
    /// Shapes: [N, 3, size, size].
    public let inputShape: [Int]
    /// The factor on convolution weights.
    public let gain: Double
    /// Trainable parameters.
    public let parameters: Int
    /// PyTorch's own f32 error, relative to the largest logit.
    public let float32Error: Double
    public let stateDict: [String: [Int]]
    /// Shapes: [N, classes].
    public let logits: [[Float]]

    /// The files in Tests/Fixtures/golden.
    public static let bundled = [
        "lite-efficientnet-lite0-64", "timm-tf_efficientnetv2_b0-65", "torchvision-efficientnet_b0-64",
    ]

    /// Reads Tests/Fixtures/golden/`name`.json.
    public init(_ name: String) throws { try self.init(path: Fixtures.path("golden/\(name).json")) }

    /// Reads a file that the generator wrote.
    public init(path: String) throws {
        let file = try JSONDecoder().decode(File.self, from: Data(contentsOf: URL(filePath: path)))
        variant = file.variant
        inputShape = file.input
        gain = file.gain
        parameters = file.parameters
        float32Error = file.float32_error
        stateDict = file.state_dict
        logits = file.logits
    }

    /// The variant's name, without the library that it comes from.
    public var architectureName: String { String(variant.split(separator: ":")[1]) }

    public var dialect: Dialect {
        switch variant.split(separator: ":")[0] {
        case "torchvision": .torchvision
        case "timm": .timm
        default: .efficientNetPyTorch
        }
    }

    private struct File: Decodable {
        let variant: String
        let input: [Int]
        let gain: Double
        let parameters: Int
        let float32_error: Double
        let state_dict: [String: [Int]]
        let logits: [[Float]]
    }
}
