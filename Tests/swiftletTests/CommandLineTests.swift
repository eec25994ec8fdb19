import Classification
import FoundationEssentials
import TestSupport
import Testing

@testable import swiftlet

/// What all commands have in common.
struct CommandLineTests {
    static let commands = Swiftlet.configuration.subcommands.compactMap { $0.configuration.commandName }

    @Test(arguments: commands) func eachCommandHasHelpWithAnOverview(_ command: String) throws {
        let run = try CommandRun(command, "--help")
        #expect(run.status == 0 && run.errors.isEmpty)
        #expect(run.output.contains("OVERVIEW") && run.output.contains("USAGE: swiftlet \(command)"))
    }

    @Test func theCommandsOfTheIssueAreThere() {
        let expected: Set = ["classify", "evaluate", "bench", "infer", "describe", "scale", "models", "config"]
        #expect(expected.isSubset(of: Self.commands))
    }

    @Test func versionNamesVersionCommitAndInstructionSet() throws {
        let run = try CommandRun("--version")
        #expect(run.status == 0)
        #expect(run.output == Version.line + "\n")
        #expect(run.output.contains(Version.number) && run.output.contains("commit") && run.output.contains("portable"))
    }

    @Test func theImageIsLabelledWithTheVersion() throws {
        let text = try String(contentsOfFile: Fixtures.repositoryRoot + "/Dockerfile", encoding: .utf8)
        #expect(text.contains("org.opencontainers.image.version=\"\(Version.number)\""))
    }

    static let misuses: [[String]] = [
        ["frobnicate"], ["describe"], ["describe", "B9"], ["describe", "B0", "--input-size", "0"],
        ["describe", "B0", "--format", "xml"], ["scale"], ["scale", "--phi", "x"], ["scale", "--phi", "99"],
        ["config", "--port", "x"], ["config", "--port", "65536"], ["bench", "--batch", "0"],
        ["bench", "--seconds", "0"], ["bench", "--input-size", "64"], ["bench", "--architecture", "B9"],
        ["bench", "--threads", "1", "--workers", "2", "--architecture", "B0"], ["classify"],
        ["infer", "--weights", "w", "--architecture", "B9", "--input", "x", "--output", "y"],
        ["infer", "--weights", "w", "--input", "x", "--output", "y"],
        ["infer", "--weights", "w", "--architecture", "B0", "--model", "m", "--input", "x", "--output", "y"],
    ]

    @Test(arguments: misuses) func wrongUsageIsASentenceOnStandardErrorAndExit64(_ arguments: [String]) throws {
        let run = try CommandRun(arguments)
        #expect(run.status == 64)
        #expect(run.output.isEmpty)
        #expect(run.errors.hasPrefix("Error: "), "\(run.errors)")
    }

    static let lateMisuses: [[String]] = [["serve", "--port", "x"], ["config", "--port", "x"], ["key", "a:b"]]

    @Test(arguments: lateMisuses)
    func wrongUsageEndsWithTheUsageOfItsCommand(_ arguments: [String]) throws {
        let run = try CommandRun(arguments)
        #expect(run.status == 64 && run.errors.contains("Usage: swiftlet \(arguments[0]) "), "\(run.errors)")
        #expect(run.errors.contains("See 'swiftlet \(arguments[0]) --help'"), "\(run.errors)")
    }

    static let failures: [[String]] = [
        ["models", "--models", "/nonexistent"], ["models"], ["config", "--config", "/nonexistent"],
        ["classify", "--model", "nobody", "--models", Fixtures.repositoryRoot + "/models", "x.jpg"],
        ["infer", "--weights", "w", "--architecture", "B0", "--input", "/nonexistent", "--output", "y"],
        ["evaluate", "/nonexistent", "--models", Fixtures.repositoryRoot + "/models"],
    ]

    @Test(arguments: failures) func failedWorkIsASentenceOnStandardErrorAndExit1(_ arguments: [String]) throws {
        let run = try CommandRun(arguments)
        #expect(run.status == 1)
        #expect(run.output.isEmpty)
        #expect(run.errors.hasPrefix("Error: ") && run.errors.count > 20, "\(run.errors)")
    }

    @Test func everySettingHasItsFlag() {
        func keys(_ group: some SettingsOptions) -> [String] {
            Mirror(reflecting: group).children.compactMap { $0.label.map { String($0.drop { $0 == "_" }) } }
        }
        let flags = keys(ModelOptions()) + keys(ComputeOptions()) + keys(ServiceOptions())
        #expect(flags.sorted() == Setting.all.map(\.key).sorted())
    }

    /// Whoever names a file, answers on a port or writes the configuration does not drive the terminal.
    @Test(
        arguments: [
            ["classify", "--models", Fixtures.repositoryRoot + "/models", "a\u{1B}[2J\u{9B}1m\u{202E}\nb.jpg"],
            ["models", "--models", "no\u{1B}[2Jthing\n"], ["classify", "a.jpg", "--to\u{1B}[2J"],
            ["config", "--port", "\u{9B}2J"], ["config", "--config", "\u{1B}]0;x\u{7}\n"], ["frob\u{1B}[2J"],
            ["evaluate", "\u{1B}[2J\n", "--models", Fixtures.repositoryRoot + "/models"],
        ])
    func noControlCharacterReachesTheTerminal(_ arguments: [String]) throws {
        let run = try CommandRun(arguments)
        #expect(run.status != 0)
        let text = (run.output + run.errors).unicodeScalars.filter { $0 != "\n" }
        #expect(!text.contains(where: LogValue.isUnsafe), "\(run.errors.debugDescription)")
        #expect(run.errors.contains("\\u001b") || run.errors.contains("\\u009b"), "\(run.errors.debugDescription)")
        // Usage stands on lines of its own; what was quoted does not.
        if run.status == 1 { #expect(run.errors.count { $0.isNewline } == 1, "\(run.errors.debugDescription)") }
    }

    @Test func valuesOfTheConfigurationDriveNoTerminal() throws {
        let directory = try TemporaryDirectory()
        try directory.write(#"{"model": "\u001b[2J\u009b\u202e\n"}"#.utf8, to: "config.json")
        for format in ["table", "json"] {
            let run = try CommandRun("config", "--format", format, directory: directory)
            #expect(run.status == 0 && run.output.lowercased().contains(#"\u001b[2j\u009b\u202e\n"#))
            #expect(!run.output.unicodeScalars.contains { LogValue.isUnsafe($0) && $0 != "\n" })
        }
    }

    @Test func reportsAreAskedForInOneWay() throws {
        for command in Self.commands {
            let help = try CommandRun(command, "--help").output
            #expect(!help.contains("--json") && !help.contains("jsonl|"), "\(command)")
            if help.contains("--format") { #expect(help.contains("table|json"), "\(command)") }
        }
    }

    @Test func aFullDiskIsAnErrorNotSilence() throws {
        let run = try CommandRun("describe", "B0", standardOutput: "/dev/full")
        #expect(run.status == 1 && run.errors.contains("cannot write to standard output"), "\(run.errors)")
    }
}
