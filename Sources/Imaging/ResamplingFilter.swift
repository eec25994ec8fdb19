/// The kernels that a resize can weigh pixels with; made wider when it reduces, so that nothing aliases.
///
/// Source: Pillow's `Resample.c`.
public enum ResamplingFilter: String, Equatable, Sendable, CaseIterable {
    case bilinear
    /// Keys' cubic with a = −0.5.
    case bicubic

    /// Units: source pixels at a scale of 1. Beyond this distance the weight is 0.
    var support: Double {
        switch self {
        case .bilinear: 1
        case .bicubic: 2
        }
    }

    /// The weight of a pixel at a distance of `offset` from the centre.
    func weight(at offset: Double) -> Double {
        let x = abs(offset)
        switch self {
        case .bilinear:
            return x < 1 ? 1 - x : 0
        case .bicubic:
            let a = -0.5
            if x < 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
            if x < 2 { return (((x - 5) * x + 8) * x - 4) * a }
            return 0
        }
    }
}
