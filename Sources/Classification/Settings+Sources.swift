import Configuration
import FoundationEssentials
import Parallelism

extension Settings {
    /// Gathers the settings in force: flag over environment variable over configuration file over default.
    ///
    /// The file is `configPath`, or else what SWIFTLET_CONFIG names, or else ./config.json where it exists. An empty
    /// variable counts as not set. Variables that name no setting become a warning, and so does a SWIFTLET_PORT that
    /// begins with `tcp://`: Kubernetes sets these for a Service called swiftlet.
    /// - Parameters:
    ///   - flags: by key; values as they stand on the command line.
    ///   - directory: what relative paths, `./config.json` and `./models` are relative to; nil means the process's own.
    ///   - executable: the path of the running program, beside which models may be installed.
    /// - Throws: any `SettingsError` but `noModels`: all that is wrong, in the order of variables, file and flags, then
    ///   what the sources do not say by themselves.
    public static func load(
        flags: [String: String] = [:], environment: [String: String] = [:], configPath: String? = nil,
        directory: String? = nil, executable: String? = nil
    ) throws(SettingsError) -> Settings {
        var settings = Settings()
        var faults = SettingsFaults()
        let variables = environment.filter { $0.key.hasPrefix(Setting.environmentPrefix) && !$0.value.isEmpty }
        let fromEnvironment = settings.recognised(variables, &faults)
        let path = configPath ?? variables[configVariable] ?? existing("config.json", in: directory)
        let fromFile = path.flatMap { settingsInFile(at: $0, relativeTo: directory, &faults) }

        var flagValues: [AbsoluteConfigKey: ConfigValue] = [:]
        for (key, text) in flags.sorted(by: { $0.key < $1.key }) {
            guard let setting = Setting.named(key) else { preconditionFailure("no setting is called '\(key)'") }
            flagValues[setting.configKey] = faults.noting { () throws(SettingsError) in
                try setting.value(text, .flag(setting.flag)).configValue
            }
        }
        let defaults = Setting.all.map { ($0.configKey, Settings()[$0].configValue) }
        settings.take(
            from: [
                InMemoryProvider(name: "flags", values: flagValues),
                EnvironmentVariablesProvider(environmentVariables: fromEnvironment),
                InMemoryProvider(name: "file", values: fromFile?.values ?? [:]),
                InMemoryProvider(name: "defaults", values: Dictionary(uniqueKeysWithValues: defaults)),
            ],
            filePath: path ?? "", lines: fromFile?.lines ?? [:])
        settings.checkMachine(&faults)
        settings.checkAccess(&faults)
        settings.checkWatching(&faults)
        _ = faults.noting { () throws(SettingsError) in try VersionPolicies(settings) }
        try faults.check()
        if settings.models.isEmpty {
            settings.models = modelPlaces(executable: executable).first { isThere($0, in: directory) } ?? ""
        }
        return settings
    }

    static let configVariable = Setting.environmentPrefix + "CONFIG"

    /// The variables that name a setting, their values checked. The others become a warning.
    private mutating func recognised(
        _ variables: [String: String], _ faults: inout SettingsFaults
    ) -> [String: String] {
        var recognised: [String: String] = [:]
        var unknown: [String] = []
        let settings = Dictionary(uniqueKeysWithValues: Setting.all.map { ($0.environmentName, $0) })
        for (name, text) in variables.sorted(by: { $0.key < $1.key }) where name != Self.configVariable {
            guard let setting = settings[name] else {
                unknown.append(name)
                continue
            }
            if setting.key == "port", text.hasPrefix("tcp://") {
                warnings.append("\(name) is \(text), which is how Kubernetes describes a Service, and is ignored")
                continue
            }
            let value = faults.noting { () throws(SettingsError) in try setting.value(text, .environment(name)) }
            if value != nil { recognised[name] = text }
        }
        if !unknown.isEmpty { warnings.append("no setting is called " + unknown.joined(separator: ", ")) }
        for name in unknown {
            guard let setting = Setting.nearest(to: String(name.dropFirst(Setting.environmentPrefix.count))) else {
                continue
            }
            warnings.append("\(name): did you mean \(setting.environmentName)?")
        }
        return recognised
    }

    /// Reads every setting from the first provider that has it: flags, environment, file, defaults.
    private mutating func take(from providers: [any ConfigProvider], filePath: String, lines: [String: Int]) {
        let recorder = OriginRecorder()
        let reader = ConfigReader(providers: providers, accessReporter: recorder)
        for setting in Setting.all {
            let key = ConfigKey(setting.configKey.components)
            do {
                switch setting.kind {
                case .text(let path), .choice(let path, _): self[keyPath: path] = try reader.requiredString(forKey: key)
                case .integer(let path, _): self[keyPath: path] = try reader.requiredInt(forKey: key)
                case .list(let path): self[keyPath: path] = try reader.requiredStringArray(forKey: key)
                }
            } catch { preconditionFailure("'\(setting.key)' was checked, and yet: \(error)") }
            switch recorder.providersAsked.withLock({ $0 }) {
            case 1: origins[setting.key] = .flag(setting.flag)
            case 2: origins[setting.key] = .environment(setting.environmentName)
            case 3: origins[setting.key] = .file(path: filePath, line: lines[setting.key] ?? 0)
            default: break
            }
        }
    }
}

/// Counts how many providers the last read asked: the last of them had the value.
private struct OriginRecorder: AccessReporter {
    let providersAsked = Lock(0)

    func report(_ event: AccessEvent) { providersAsked.withLock { $0 = event.providerResults.count } }
}

// MARK: - Places

extension Settings {
    /// Where models are looked for when nobody says where they are.
    static func modelPlaces(executable: String?) -> [String] {
        var places = ["./models"]
        if let executable {
            var parts = executable.split(separator: "/", omittingEmptySubsequences: false)
            parts.removeLast()
            if parts.count > 1 { parts.removeLast() } else { parts.append("..") }
            places.append(parts.joined(separator: "/") + "/share/swiftlet/models")
        }
        return places
    }

    /// The directory of models.
    /// - Throws: `noModels` where none was named or found.
    public func modelsDirectory(executable: String? = nil) throws(SettingsError) -> String {
        guard !models.isEmpty else { throw .noModels(searched: Self.modelPlaces(executable: executable)) }
        return models
    }

    private static func existing(_ name: String, in directory: String?) -> String? {
        isThere(name, in: directory) ? name : nil
    }

    private static func isThere(_ path: String, in directory: String?) -> Bool {
        FileManager.default.fileExists(atPath: resolve(path, in: directory))
    }

    static func resolve(_ path: String, in directory: String?) -> String {
        guard let directory, !path.hasPrefix("/") else { return path }
        return "\(directory)/\(path)"
    }
}
