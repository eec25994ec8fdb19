/// What the variants that are scaled from one table of stages have in common.
enum Family: Sendable {
    case b, lite, v2S, v2M, v2L, v2B

    var stages: [StageSpec] {
        switch self {
        case .b, .lite: StageSpec.b
        case .v2S: StageSpec.v2S
        case .v2M: StageSpec.v2M
        case .v2L: StageSpec.v2L
        case .v2B: StageSpec.v2B
        }
    }

    var stemChannels: Int {
        switch self {
        case .v2S, .v2M: 24
        case .b, .lite, .v2L, .v2B: 32
        }
    }

    var headChannels: Int { 1280 }
    var activation: Activation { self == .lite ? .relu6 : .silu }

    /// Lite leaves out squeeze-and-excite, does not scale stem and head and does not repeat its first and last stage.
    var isLite: Bool { self == .lite }

    /// The dialect that the unprefixed name of the family comes from.
    var home: Dialect {
        switch self {
        case .b, .v2S, .v2M, .v2L: .torchvision
        case .lite: .efficientNetPyTorch
        case .v2B: .timm
        }
    }

    /// Channels scaled by `width`: to a multiple of 8, and not below 90 % of the exact product (V2-B has no such limit).
    func scaled(channels: Int, by width: Double) -> Int {
        let exact = Double(channels) * width
        let rounded = max(8, Int(exact + 4) / 8 * 8)
        return self != .v2B && Double(rounded) < 0.9 * exact ? rounded + 8 : rounded
    }

    /// Stem, blocks and head at a width and depth.
    func scaled(width: Double, depth: Double) -> (stem: Int, blocks: [BlockSpec], head: Int) {
        let stem = isLite ? stemChannels : scaled(channels: stemChannels, by: width)
        var blocks: [BlockSpec] = []
        var inputChannels = stem
        let stages = self.stages
        for (stage, spec) in stages.enumerated() {
            let isFixed = isLite && (stage == 0 || stage == stages.count - 1)
            let repeats = isFixed ? spec.repeats : Int((Double(spec.repeats) * depth).rounded(.up))
            let outputChannels = scaled(channels: spec.channels, by: width)
            for index in 0..<repeats {
                blocks.append(
                    BlockSpec(
                        kind: spec.kind, kernel: spec.kernel, stride: index == 0 ? spec.stride : 1,
                        inputChannels: inputChannels, expandedChannels: inputChannels * spec.expansion,
                        outputChannels: outputChannels,
                        squeezeChannels: spec.hasSqueeze && !isLite ? max(1, inputChannels / 4) : nil,
                        stage: stage, indexInStage: index))
                inputChannels = outputChannels
            }
        }
        return (stem, blocks, isLite ? headChannels : scaled(channels: headChannels, by: width))
    }
}
