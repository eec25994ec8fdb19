/// A named point of a family: how wide, how deep, for which images.
public struct Variant: Sendable {
    /// The short name, such as `B0`, `Lite0`, `V2-S`.
    public let name: String
    let family: Family
    /// What torchvision, or where it lacks the variant timm, calls it.
    let longName: String
    public let width: Double
    public let depth: Double
    /// Height and width of the images that the variant was designed for.
    public let inputSize: Int
    public let dropout: Double
    /// What torchvision adds to a batch norm's variance.
    let torchvisionEpsilon: Float

    public var title: String { "EfficientNet" + (name.hasPrefix("V2") ? "" : "-") + name }

    private init(
        _ name: String, _ family: Family, _ longName: String, _ width: Double, _ depth: Double, _ inputSize: Int,
        _ dropout: Double, epsilon: Float = 1e-3
    ) {
        self.name = name
        self.family = family
        self.longName = longName
        self.width = width
        self.depth = depth
        self.inputSize = inputSize
        self.dropout = dropout
        torchvisionEpsilon = epsilon
    }

    /// Every variant that has a name.
    ///
    /// Layout: name, family, long name, width, depth, input size, dropout.
    public static let all: [Variant] = [
        Variant("B0", .b, "efficientnet_b0", 1.0, 1.0, 224, 0.2, epsilon: 1e-5),
        Variant("B1", .b, "efficientnet_b1", 1.0, 1.1, 240, 0.2, epsilon: 1e-5),
        Variant("B2", .b, "efficientnet_b2", 1.1, 1.2, 260, 0.3, epsilon: 1e-5),
        Variant("B3", .b, "efficientnet_b3", 1.2, 1.4, 300, 0.3, epsilon: 1e-5),
        Variant("B4", .b, "efficientnet_b4", 1.4, 1.8, 380, 0.4, epsilon: 1e-5),
        Variant("B5", .b, "efficientnet_b5", 1.6, 2.2, 456, 0.4),
        Variant("B6", .b, "efficientnet_b6", 1.8, 2.6, 528, 0.5),
        Variant("B7", .b, "efficientnet_b7", 2.0, 3.1, 600, 0.5),
        Variant("B8", .b, "tf_efficientnet_b8", 2.2, 3.6, 672, 0.5),
        Variant("Lite0", .lite, "efficientnet_lite0", 1.0, 1.0, 224, 0.2),
        Variant("Lite1", .lite, "efficientnet_lite1", 1.0, 1.1, 240, 0.2),
        Variant("Lite2", .lite, "efficientnet_lite2", 1.1, 1.2, 260, 0.3),
        Variant("Lite3", .lite, "efficientnet_lite3", 1.2, 1.4, 280, 0.3),
        Variant("Lite4", .lite, "efficientnet_lite4", 1.4, 1.8, 300, 0.3),
        Variant("V2-S", .v2S, "efficientnet_v2_s", 1.0, 1.0, 384, 0.2),
        Variant("V2-M", .v2M, "efficientnet_v2_m", 1.0, 1.0, 480, 0.3),
        Variant("V2-L", .v2L, "efficientnet_v2_l", 1.0, 1.0, 480, 0.4),
        Variant("V2-B0", .v2B, "tf_efficientnetv2_b0", 1.0, 1.0, 224, 0.2),
        Variant("V2-B1", .v2B, "tf_efficientnetv2_b1", 1.0, 1.1, 240, 0.2),
        Variant("V2-B2", .v2B, "tf_efficientnetv2_b2", 1.1, 1.2, 260, 0.3),
        Variant("V2-B3", .v2B, "tf_efficientnetv2_b3", 1.2, 1.4, 300, 0.3),
    ]
}

/// A variant's name as somebody wrote it, taken apart.
struct VariantName {
    let variant: Variant
    /// Whether it means a model ported from TensorFlow (`tf_…`), with TensorFlow's padding.
    let isTensorFlow: Bool

    /// Takes `B0`, `efficientnet_b0`, `efficientnet-lite0`, `tf_efficientnetv2_b0`, `efficientnet_v2_s`, … without
    /// regard to case, `-`, `_`, or a pretraining tag as timm's `.in1k`. A short name means the variant's first home,
    /// a long one is taken at its word: `B8` is `tf_efficientnet_b8`, `efficientnet_b8` is not.
    init?(_ written: String) {
        let bare = Self.squashed(written.prefix { $0 != "." })
        for variant in Variant.all {
            let short = Self.squashed(variant.name)
            let isShort = bare == short
            let isPorted = bare == "tfefficientnet" + short
            guard isShort || isPorted || bare == "efficientnet" + short else { continue }
            self.variant = variant
            isTensorFlow = isPorted || isShort && variant.longName.hasPrefix("tf_")
            return
        }
        return nil
    }

    init(_ variant: Variant, isTensorFlow: Bool) {
        self.variant = variant
        self.isTensorFlow = isTensorFlow
    }

    /// The name without what people write differently.
    private static func squashed(_ name: some StringProtocol) -> String {
        name.lowercased().filter { $0 != "-" && $0 != "_" }
    }

    /// The one spelling of this name.
    var canonical: String {
        let isPortedAtHome = variant.longName.hasPrefix("tf_")
        if isTensorFlow == isPortedAtHome { return variant.longName }
        if isPortedAtHome { return String(variant.longName.dropFirst(3)) }
        return "tf_" + variant.longName.replacing("_v2_", with: "v2_")
    }
}

extension Architecture {
    /// The variant that is called `name`, with the padding and epsilon that `dialect` gives it.
    ///
    /// `dialect` nil means the library that the name comes from: timm for `tf_…`, else torchvision, or
    /// EfficientNet-PyTorch for Lite.
    /// - Throws: `unknownVariant` where no variant has that name.
    public init(named name: String, dialect: Dialect? = nil, classCount: Int = 1000) throws(ArchitectureError) {
        guard let name = VariantName(name) else { throw .unknownVariant(name) }
        self.init(name, dialect: dialect, classCount: classCount)
    }

    init(_ name: VariantName, dialect: Dialect?, classCount: Int) {
        let variant = name.variant
        let (padding, epsilon) = name.conventions(of: dialect)
        let (stem, blocks, head) = variant.family.scaled(width: variant.width, depth: variant.depth)
        self.init(
            name: name.canonical, title: variant.title, inputSize: variant.inputSize, dropout: variant.dropout,
            activation: variant.family.activation, padding: padding, batchNormEpsilon: epsilon,
            classCount: classCount, stem: Stem(outputChannels: stem), blocks: blocks, headChannels: head)
    }
}

extension Architecture {
    /// Every variant that a checkpoint in `dialect` may be; in timm's names a variant and its `tf_` port.
    public static func candidates(in dialect: Dialect) -> [Architecture] {
        Variant.all.flatMap { variant in
            let ports = dialect == .timm ? (variant.longName.hasPrefix("tf_") ? [true] : [false, true]) : [false]
            return ports.map {
                Architecture(VariantName(variant, isTensorFlow: $0), dialect: dialect, classCount: 1000)
            }
        }
    }
}

extension VariantName {
    /// Padding and batch-norm epsilon follow from the dialect and the name.
    func conventions(of dialect: Dialect?) -> (padding: Padding, epsilon: Float) {
        switch dialect ?? (isTensorFlow ? .timm : variant.family.home) {
        case .efficientNetPyTorch: (.same, 1e-3)
        case .timm: isTensorFlow ? (.same, 1e-3) : (.symmetric, 1e-5)
        case .torchvision: (.symmetric, variant.torchvisionEpsilon)
        }
    }
}
