import ArgumentParser
import EfficientNet

struct ScaleCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scale",
        abstract: "Derives an EfficientNet from B0 by compound scaling.",
        discussion: """
            Depth grows by alpha^phi, width by beta^phi, and resolution by gamma^phi. With alpha · beta² · gamma² near \
            2 the cost doubles with every step of phi (Tan and Le, arXiv 1905.11946).

              swiftlet scale --phi 1.5
            """)

    @Option(help: "The compound coefficient: 0 is B0.") var phi: Double
    @Option(help: "Base of the depth.") var alpha = 1.2
    @Option(help: "Base of the width.") var beta = 1.1
    @Option(help: "Base of the resolution.") var gamma = 1.15
    @Option(help: OutputFormat.help) var format = OutputFormat.table

    func validate() throws {
        do throws(ArchitectureError) { _ = try scaling() } catch { throw ValidationError("\(error).") }
    }

    func run() throws { try StandardStream.output.write(text()) }

    private func scaling() throws(ArchitectureError) -> CompoundScaling {
        try CompoundScaling(phi: phi, alpha: alpha, beta: beta, gamma: gamma)
    }

    func text() throws -> String {
        let scaling = try scaling()
        let summary = try scaling.architecture.summary()
        switch format {
        case .json:
            return try JSONText.pretty(
                Report(
                    phi: phi, alpha: alpha, beta: beta, gamma: gamma, depth: scaling.depth, width: scaling.width,
                    resolution: scaling.resolution, constraint: scaling.constraint, model: summary))
        case .table:
            return """
                depth α^φ = \(NumberText.fixed(scaling.depth, 3)), width β^φ = \(NumberText.fixed(scaling.width, 3)), \
                resolution 224·γ^φ = \(scaling.resolution), α·β²·γ² = \(NumberText.fixed(scaling.constraint, 3)) \
                (the paper wants 2)

                """ + summary.tableText
        }
    }

    private struct Report: Encodable {
        let phi, alpha, beta, gamma, depth, width: Double
        let resolution: Int
        let constraint: Double
        let model: ArchitectureSummary
    }
}
