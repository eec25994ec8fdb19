#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// B0 scaled in depth, width and resolution at once.
///
/// Source: arXiv 1905.11946, equation 3.
public struct CompoundScaling: Equatable, Sendable {
    public let phi: Double
    public let alpha: Double
    public let beta: Double
    public let gamma: Double
    /// α^φ, the factor on each stage's repeats.
    public let depth: Double
    /// β^φ, the factor on channels.
    public let width: Double
    /// round(224 · γ^φ) pixels.
    public let resolution: Int
    /// α·β²·γ², which the paper wants near 2: then FLOPs double with each step of φ.
    public let constraint: Double
    public let architecture: Architecture

    /// - Throws: `impossibleScaling` where a factor is not finite and positive, or the network would be larger than
    ///   any use: depth or width over 16, resolution over 4096.
    public init(
        phi: Double, alpha: Double = 1.2, beta: Double = 1.1, gamma: Double = 1.15, classCount: Int = 1000
    ) throws(ArchitectureError) {
        let (depth, width, growth) = (pow(alpha, phi), pow(beta, phi), pow(gamma, phi))
        let side = (224 * growth).rounded()
        guard phi.isFinite, alpha > 0, beta > 0, gamma > 0, depth > 0, width > 0,
            depth <= 16, width <= 16, side >= 1, side <= 4096
        else { throw .impossibleScaling(phi: phi, alpha: alpha, beta: beta, gamma: gamma) }
        self.phi = phi
        self.alpha = alpha
        self.beta = beta
        self.gamma = gamma
        self.depth = depth
        self.width = width
        resolution = Int(side)
        constraint = alpha * beta * beta * gamma * gamma
        let (stem, blocks, head) = Family.b.scaled(width: width, depth: depth)
        let (padding, epsilon) = (Padding.symmetric, Float(1e-5))
        architecture = Architecture(
            name: "efficientnet_phi\(phi)", title: "EfficientNet, φ = \(phi)", inputSize: resolution,
            dropout: min(max(0.2 + 0.3 * phi / 7, 0.2), 0.5), activation: .silu, padding: padding,
            batchNormEpsilon: epsilon, classCount: classCount, stem: Architecture.Stem(outputChannels: stem),
            blocks: blocks, headChannels: head)
    }
}
