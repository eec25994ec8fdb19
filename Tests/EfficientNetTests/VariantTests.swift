import TestSupport
import Testing

@testable import EfficientNet

struct VariantTests {
    /// As torchvision publishes them; B8, Lite and V2-B as timm has them, whose table gives two decimals of a million.
    static let publishedParameterCounts = [
        "B0": 5_288_548, "B1": 7_794_184, "B2": 9_109_994, "B3": 12_233_232, "B4": 19_341_616, "B5": 30_389_784,
        "B6": 43_040_704, "B7": 66_347_960, "B8": 87_413_142,
        "Lite0": 4_652_008, "Lite1": 5_416_680, "Lite2": 6_092_072, "Lite3": 8_197_096, "Lite4": 13_006_568,
        "V2-S": 21_458_488, "V2-M": 54_139_356, "V2-L": 118_515_272,
        "V2-B0": 7_139_704, "V2-B1": 8_141_052, "V2-B2": 10_096_086, "V2-B3": 14_358_406,
    ]

    @Test func parameterCountsAreThePublishedOnes() throws {
        var counts: [String: Int] = [:]
        for variant in Variant.all { counts[variant.name] = try Architecture(named: variant.name).parameterCount }
        #expect(counts == Self.publishedParameterCounts)
    }

    @Test(
        arguments: [
            ("B0", "efficientnet_b0", .symmetric, 1e-5), ("efficientnet_b0", "efficientnet_b0", .symmetric, 1e-5),
            ("EfficientNet-B5", "efficientnet_b5", .symmetric, 1e-3), ("b8", "tf_efficientnet_b8", .same, 1e-3),
            ("efficientnet_b8", "efficientnet_b8", .symmetric, 1e-3),
            ("tf_efficientnet_b0.ns_jft_in1k", "tf_efficientnet_b0", .same, 1e-3),
            ("efficientnet-lite0", "efficientnet_lite0", .same, 1e-3), ("LITE4", "efficientnet_lite4", .same, 1e-3),
            ("efficientnet_lite0", "efficientnet_lite0", .same, 1e-3),
            ("tf_efficientnet_lite0", "tf_efficientnet_lite0", .same, 1e-3),
            ("V2-S", "efficientnet_v2_s", .symmetric, 1e-3),
            ("efficientnet_v2_s", "efficientnet_v2_s", .symmetric, 1e-3),
            ("tf_efficientnetv2_s", "tf_efficientnetv2_s", .same, 1e-3), ("v2_b0", "tf_efficientnetv2_b0", .same, 1e-3),
            ("TF_EfficientNetV2_B3", "tf_efficientnetv2_b3", .same, 1e-3),
        ] as [(String, String, Padding, Float)])
    func namesAreTakenInEverySpelling(name: String, canonical: String, padding: Padding, epsilon: Float) throws {
        let architecture = try Architecture(named: name)
        #expect(architecture.name == canonical)
        #expect(architecture.padding == padding)
        #expect(architecture.batchNormEpsilon == epsilon)
        #expect(try Architecture(named: canonical) == architecture)
    }

    @Test(arguments: ["", "b", "b9", "lite5", "efficientnet", "v2-xl", "tf_b0", "resnet50", ".in1k"])
    func otherNamesAreRefused(name: String) {
        #expect(throws: ArchitectureError.unknownVariant(name)) { try Architecture(named: name) }
    }

    @Test(
        arguments: [
            ("efficientnet_b0", .torchvision, .symmetric, 1e-5), ("efficientnet_b0", .timm, .symmetric, 1e-5),
            ("efficientnet_b0", .efficientNetPyTorch, .same, 1e-3), ("tf_efficientnet_b0", .timm, .same, 1e-3),
            ("efficientnet_b7", .torchvision, .symmetric, 1e-3), ("efficientnet_b7", .timm, .symmetric, 1e-5),
            ("efficientnet_lite0", .timm, .symmetric, 1e-5), ("efficientnet_lite0", .efficientNetPyTorch, .same, 1e-3),
        ] as [(String, Dialect, Padding, Float)])
    func paddingAndEpsilonFollowFromDialectAndName(
        name: String, dialect: Dialect, padding: Padding, epsilon: Float
    ) throws {
        let architecture = try Architecture(named: name, dialect: dialect)
        #expect(architecture.padding == padding)
        #expect(architecture.batchNormEpsilon == epsilon)
    }

    @Test(arguments: Dialect.allCases) func everyTensorHasANameOfItsOwn(dialect: Dialect) {
        for architecture in Architecture.candidates(in: dialect) {
            let names = architecture.parameters().map { architecture.name(of: $0.parameter, in: dialect) }
            #expect(Set(names).count == names.count, "\(architecture.name)")
            #expect(Dialect(recognizing: names) == dialect)
        }
    }

    @Test func blocksChainAndStagesCoverThem() {
        for architecture in Architecture.candidates(in: .timm) {
            var channels = architecture.stem.outputChannels
            for block in architecture.blocks {
                #expect(block.inputChannels == channels, "\(architecture.name)")
                channels = block.outputChannels
            }
            #expect(architecture.stages.flatMap { Array($0) } == Array(architecture.blocks.indices))
            #expect(architecture.stages.allSatisfy { architecture.blocks[$0.lowerBound].indexInStage == 0 })
        }
    }
}
