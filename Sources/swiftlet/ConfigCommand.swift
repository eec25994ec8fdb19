import ArgumentParser
import Classification

struct ConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config",
        abstract: "Prints the settings in force and where each comes from.",
        discussion: """
            Takes the same flags as 'swiftlet serve', and says what it would run with. A configuration file that is \
            wrong is an error here too.
            """)

    @OptionGroup(title: "Model") var model: ModelOptions
    @OptionGroup(title: "Compute") var compute: ComputeOptions
    @OptionGroup(title: "Service") var service: ServiceOptions
    @OptionGroup var configuration: ConfigurationOptions
    @Option(help: OutputFormat.help) var format = OutputFormat.table

    func run() throws {
        let settings = try configuration.settings(model, compute, service)
        try StandardStream.output.write(Self.text(settings, format))
    }

    static func text(_ settings: Settings, _ format: OutputFormat) throws -> String {
        switch format {
        case .json:
            return try JSONText.pretty(
                Report(
                    settings: Setting.all.map {
                        Report.Entry(key: $0.key, value: settings[$0], origin: settings.origin(of: $0.key))
                    }))
        case .table:
            var table = TextTable([("SETTING", .left), ("VALUE", .left), ("FROM", .left)])
            for setting in Setting.all {
                let value = settings[setting].description
                table.add([setting.key, value.isEmpty ? "\"\"" : value, "\(settings.origin(of: setting.key))"])
            }
            return table.text
        }
    }

    private struct Report: Encodable {
        struct Entry: Encodable {
            let key: String
            let value: SettingValue
            let origin: String
            /// The flag, the variable or the file.
            let originName: String?

            init(key: String, value: SettingValue, origin: SettingOrigin) {
                self.key = key
                self.value = value
                (self.origin, originName) =
                    switch origin {
                    case .flag(let name): ("flag", name)
                    case .environment(let name): ("environment", name)
                    case .file(let path, _): ("file", path)
                    case .default: ("default", nil)
                    }
            }
        }

        let settings: [Entry]
    }
}
