import ArgumentParser
import EfficientNet

struct DescribeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "describe",
        abstract: "Prints the stages of an EfficientNet: shapes, parameters, multiply-accumulates, activations.",
        discussion: """
            Knows B0 to B8, Lite0 to Lite4, V2-S, V2-M, V2-L and V2-B0 to V2-B3, by these names or as torchvision \
            and timm call them, in upper or lower case: 'swiftlet describe b0', 'swiftlet describe \
            tf_efficientnetv2_b0'. Parameters are those that training learns.
            """)

    @Argument(help: "The variant, such as B0 or efficientnet_lite0.") var variant: String
    @Option(help: ArgumentHelp("Height and width of the image; the variant's own without it.", valueName: "pixels"))
    var inputSize: Int?
    @Option(help: OutputFormat.help) var format = OutputFormat.table

    func validate() throws {
        do throws(ArchitectureError) { _ = try summary() } catch { throw ValidationError("\(error).") }
    }

    func run() throws { try StandardStream.output.write(text()) }

    func text() throws -> String {
        switch format {
        case .json: try JSONText.pretty(summary())
        case .table: try summary().tableText
        }
    }

    private func summary() throws(ArchitectureError) -> ArchitectureSummary {
        try Architecture(named: variant).summary(height: inputSize, width: inputSize)
    }
}

extension ArchitectureSummary {
    /// A headline and the table of stages.
    var tableText: String {
        var table = TextTable([
            ("STAGE", .left), ("OPERATION", .left), ("REPEATS", .right), ("STRIDE", .right), ("INPUT", .right),
            ("OUTPUT", .right), ("PARAMETERS", .right), ("MACS", .right), ("ACTIVATIONS", .right),
        ])
        for stage in stages {
            table.add([
                stage.name, stage.operation, "\(stage.repeats)", "\(stage.stride)", NumberText.shape(stage.inputShape),
                NumberText.shape(stage.outputShape), NumberText.grouped(stage.parameters),
                NumberText.millions(stage.macs), NumberText.mebibytes(stage.activationBytes),
            ])
        }
        table.add([
            "total", "", "", "", "", "", NumberText.grouped(parameters), NumberText.millions(macs),
            NumberText.mebibytes(activationBytes),
        ])
        return """
            \(title) (\(name)), input \(NumberText.shape(inputShape)), \(classes) classes, \(activation.rawValue), \
            \(padding.rawValue) padding, batch-norm epsilon \(batchNormEpsilon), embedding of \(embeddingLength)
            \(NumberText.fixed(Double(parameters) / 1e6, 2)) M parameters, \(NumberText.millions(macs)) \
            multiply-accumulates (\(NumberText.fixed(2 * Double(macs) / 1e9, 3)) GFLOP), \
            \(NumberText.mebibytes(activationBytes)) of f32 activations


            """ + table.text
    }
}
