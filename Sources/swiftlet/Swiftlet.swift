import ArgumentParser

@main
struct Swiftlet: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "swiftlet",
        abstract: "Classifies images with EfficientNet on CPUs.",
        discussion: """
            To classify photos with the bundled model:

              swiftlet classify photo.jpg holiday/

            Settings come from flags, from environment variables (SWIFTLET_PORT is --port), from a config.json in the \
            working directory or named by --config, and from defaults, in this order; 'swiftlet config' shows them.

            Exit codes: 0 done, 1 the work failed, 64 wrong usage.
            """,
        version: Version.line,
        subcommands: [
            ServeCommand.self, HealthCommand.self,
            ClassifyCommand.self, EvaluateCommand.self, BenchCommand.self, InferCommand.self, DescribeCommand.self,
            ScaleCommand.self, QuantizeCommand.self, ModelsCommand.self, ConfigCommand.self,
            KeyCommand.self, SelftestCommand.self,
        ])
}
