/// Whose names a checkpoint's tensors carry.
public enum Dialect: String, Codable, Sendable, CaseIterable {
    case torchvision
    case timm
    /// The packages EfficientNet-PyTorch and EfficientNet-Lite-PyTorch.
    case efficientNetPyTorch = "efficientnet_pytorch"

    /// The dialect that most of these tensors' names belong to, so that one missing tensor hides nothing; nil where none
    /// belongs to any.
    public init?(recognizing names: some Sequence<String>) {
        var counts = [Int](repeating: 0, count: Self.allCases.count)
        for name in names {
            for (index, dialect) in Self.allCases.enumerated() where dialect.prefixes.contains(where: name.hasPrefix) {
                counts[index] += 1
            }
        }
        guard let most = counts.max(), most > 0, let index = counts.firstIndex(of: most) else { return nil }
        self = Self.allCases[index]
    }

    /// What a tensor's name can begin with in this dialect alone.
    private var prefixes: [String] {
        switch self {
        case .torchvision: ["features."]
        case .timm: ["conv_stem.", "blocks.", "conv_head."]
        case .efficientNetPyTorch: ["_conv_stem.", "_blocks.", "_conv_head.", "_fc."]
        }
    }

    /// Tensors that PyTorch counts for itself and inference does not need.
    public static func isBookkeeping(_ name: String) -> Bool { name.hasSuffix(".num_batches_tracked") }

    var classifier: String {
        switch self {
        case .torchvision: "classifier.1"
        case .timm: "classifier"
        case .efficientNetPyTorch: "_fc"
        }
    }

    /// The name of the classifier's weight, whose first dimension is the number of classes.
    public var classifierWeight: String { classifier + ".weight" }
}

extension Architecture {
    /// What `dialect` calls a tensor.
    ///
    /// EfficientNet-PyTorch has no fused blocks; for them its scheme is continued as Keras does (`_expand_conv`, or
    /// `_project_conv` where there is no expansion).
    /// - Precondition: the parameter is one of `parameters()`.
    public func name(of parameter: Parameter, in dialect: Dialect) -> String {
        let (convolution, batchNorm) =
            switch dialect {
            case .torchvision: torchvisionModules(parameter.location)
            case .timm: timmModules(parameter.location)
            case .efficientNetPyTorch: efficientNetPyTorchModules(parameter.location)
            }
        return switch parameter.role {
        case .convolutionWeight: convolution + ".weight"
        case .convolutionBias: convolution + ".bias"
        case .batchNormWeight: batchNorm + ".weight"
        case .batchNormBias: batchNorm + ".bias"
        case .batchNormMean: batchNorm + ".running_mean"
        case .batchNormVariance: batchNorm + ".running_var"
        }
    }

    private func torchvisionModules(_ location: Layer.Location) -> (convolution: String, batchNorm: String) {
        switch location {
        case .stem: return ("features.0.0", "features.0.1")
        case .head:
            let index = (blocks.last?.stage ?? -1) + 2
            return ("features.\(index).0", "features.\(index).1")
        case .classifier: return (Dialect.torchvision.classifier, "")
        case .block(let index, let part):
            let block = blocks[index]
            let prefix = "features.\(block.stage + 1).\(block.indexInStage).block"
            let expand = block.kind == .mbConv && block.hasExpansion ? 1 : 0
            let squeeze = block.squeezeChannels == nil ? 0 : 1
            switch part {
            case .expand, .fused: return ("\(prefix).0.0", "\(prefix).0.1")
            case .depthwise: return ("\(prefix).\(expand).0", "\(prefix).\(expand).1")
            case .squeezeReduce: return ("\(prefix).\(expand + 1).fc1", "")
            case .squeezeExpand: return ("\(prefix).\(expand + 1).fc2", "")
            case .project:
                let place = block.kind == .fusedMBConv ? 1 : expand + squeeze + 1
                return ("\(prefix).\(place).0", "\(prefix).\(place).1")
            }
        }
    }

    private func timmModules(_ location: Layer.Location) -> (convolution: String, batchNorm: String) {
        switch location {
        case .stem: return ("conv_stem", "bn1")
        case .head: return ("conv_head", "bn2")
        case .classifier: return (Dialect.timm.classifier, "")
        case .block(let index, let part):
            let block = blocks[index]
            let prefix = "blocks.\(block.stage).\(block.indexInStage)"
            let expands = block.hasExpansion
            let (convolution, batchNorm) =
                switch (part, block.kind) {
                case (.expand, _): ("conv_pw", "bn1")
                case (.depthwise, _): ("conv_dw", expands ? "bn2" : "bn1")
                case (.squeezeReduce, _): ("se.conv_reduce", "")
                case (.squeezeExpand, _): ("se.conv_expand", "")
                case (.project, .mbConv): expands ? ("conv_pwl", "bn3") : ("conv_pw", "bn2")
                case (.project, .fusedMBConv): ("conv_pwl", "bn2")
                case (.fused, _): (expands ? "conv_exp" : "conv", "bn1")
                }
            return ("\(prefix).\(convolution)", "\(prefix).\(batchNorm)")
        }
    }

    private func efficientNetPyTorchModules(_ location: Layer.Location) -> (convolution: String, batchNorm: String) {
        switch location {
        case .stem: return ("_conv_stem", "_bn0")
        case .head: return ("_conv_head", "_bn1")
        case .classifier: return (Dialect.efficientNetPyTorch.classifier, "")
        case .block(let index, let part):
            let (convolution, batchNorm) =
                switch part {
                case .expand: ("_expand_conv", "_bn0")
                case .depthwise: ("_depthwise_conv", "_bn1")
                case .squeezeReduce: ("_se_reduce", "")
                case .squeezeExpand: ("_se_expand", "")
                case .project: ("_project_conv", "_bn2")
                case .fused: blocks[index].hasExpansion ? ("_expand_conv", "_bn0") : ("_project_conv", "_bn2")
                }
            return ("_blocks.\(index).\(convolution)", "_blocks.\(index).\(batchNorm)")
        }
    }
}
