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

    static func main() {
        do {
            var command = try parseAsRoot()
            do { try command.run() } catch { exit(of: type(of: command), with: error) }
        } catch { exit(withError: error) }
    }

    /// Ends with the usage of the command that found its arguments wrong while it ran, where the library would show the
    /// root's.
    private static func exit(of command: any ParsableCommand.Type, with error: any Error) -> Never {
        guard error is ValidationError, let name = command.configuration.commandName, command != Self.self else {
            exit(withError: error)
        }
        let text = command.fullMessage(for: error)
            .replacing("Usage: \(name)", with: "Usage: swiftlet \(name)")
            .replacing("'\(name) --help'", with: "'swiftlet \(name) --help'")
        // Where even that cannot be written nobody is left to tell.
        try? StandardStream.error.write("\(text)\n")
        exit(withError: command.exitCode(for: error))
    }
}
