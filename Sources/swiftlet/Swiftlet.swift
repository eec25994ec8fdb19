import ArgumentParser
import Classification

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
            do { try command.run() } catch { end(type(of: command), with: error) }
        } catch { end(Self.self, with: error) }
    }

    /// Says what is wrong and ends the process: with the usage of the command that found its arguments wrong while it ran,
    /// where the library would show the root's, and with nothing that drives a terminal.
    private static func end(_ command: any ParsableCommand.Type, with error: any Error) -> Never {
        let code = command.exitCode(for: error)
        // Help and version.
        if code.isSuccess { exit(withError: error) }
        var text = command.fullMessage(for: error)
        if command != Self.self {
            if error is ValidationError, let name = command.configuration.commandName {
                text =
                    text
                    .replacing("Usage: \(name)", with: "Usage: swiftlet \(name)")
                    .replacing("'\(name) --help'", with: "'swiftlet \(name) --help'")
            } else if let error = error as? SettingsError {
                text = error.faults.map { LogValue.escaped(command.fullMessage(for: $0)) }.joined(separator: "\n")
            } else {
                // A sentence, which may quote others.
                text = LogValue.escaped(text)
            }
        }
        // Where even that cannot be written nobody is left to tell.
        if !text.isEmpty { try? StandardStream.error.write("\(text)\n") }
        exit(withError: code)
    }
}
