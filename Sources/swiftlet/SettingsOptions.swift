import ArgumentParser
import Classification
import FoundationEssentials
import Tensors

/// A group of flags, each the setting of the same name. Their texts are checked where all settings are.
protocol SettingsOptions: ParsableArguments {}

extension SettingsOptions {
    /// The flags that were given, by the setting's key.
    var flags: [String: String] {
        var flags: [String: String] = [:]
        for child in Mirror(reflecting: self).children {
            guard let label = child.label, let option = child.value as? Option<String?> else { continue }
            if let text = option.wrappedValue { flags[String(label.drop { $0 == "_" })] = text }
        }
        return flags
    }
}

/// The configuration file.
struct ConfigurationOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The configuration file. Without it SWIFTLET_CONFIG, or else ./config.json where there is one.",
            valueName: "file"))
    var config: String?

    /// The settings in force; warnings go to standard error.
    /// - Throws: `ValidationError` for wrong flags, `SettingsError` where anything else is wrong.
    func settings(_ groups: any SettingsOptions..., tellsWarnings: Bool = true) throws -> Settings {
        var flags: [String: String] = [:]
        for group in groups { flags.merge(group.flags) { $1 } }
        do throws(SettingsError) {
            let settings = try Settings.load(
                flags: flags, environment: ProcessInfo.processInfo.environment, configPath: config,
                executable: Self.executable)
            for warning in settings.warnings where tellsWarnings { StandardStream.complain("warning: \(warning)") }
            return settings
        } catch { throw Self.usageError(error) }
    }

    /// A wrong flag is wrong usage, which has an exit code of its own, where nothing else is wrong.
    private static func usageError(_ error: SettingsError) -> any Error {
        var sentences: [String] = []
        for fault in error.faults {
            guard case .invalidValue(_, let value, .flag(let flag), let allowed) = fault else { return error }
            sentences.append("\(flag) is \(value), but must be \(allowed).")
        }
        return ValidationError(sentences.joined(separator: "\n"))
    }

    /// The path of the running program.
    static var executable: String? { try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe") }
}

/// Which model, and from where.
struct ModelOptions: SettingsOptions {
    @Option(help: .setting("models", "dir")) var models: String?
    @Option(help: .setting("model", "name")) var model: String?
}

/// How it computes.
struct ComputeOptions: SettingsOptions {
    @Option(help: .setting("threads", "count")) var threads: String?
    @Option(help: .setting("isa", "name")) var isa: String?
}

/// Where the service listens, for whoever asks it.
struct AddressOptions: SettingsOptions {
    @Option(help: .setting("host", "address")) var host: String?
    @Option(help: .setting("port", "number")) var port: String?
    @Option(help: .setting("tlsCertificate", "file")) var tlsCertificate: String?
    @Option(help: .setting("tlsKey", "file")) var tlsKey: String?
    @Option(help: .setting("tlsClientCa", "file")) var tlsClientCa: String?
    @Option(help: .setting("adminAddress", "address")) var adminAddress: String?
    @Option(help: .setting("adminTls", "on|off")) var adminTls: String?
}

/// What only the service needs.
struct ServiceOptions: SettingsOptions {
    @Option(help: .setting("host", "address")) var host: String?
    @Option(help: .setting("port", "number")) var port: String?
    @Option(help: .setting("backlog", "connections")) var backlog: String?
    @Option(help: .setting("maxConnections", "count")) var maxConnections: String?
    @Option(help: .setting("tlsCertificate", "file")) var tlsCertificate: String?
    @Option(help: .setting("tlsKey", "file")) var tlsKey: String?
    @Option(help: .setting("tlsClientCa", "file")) var tlsClientCa: String?
    @Option(help: .setting("apiKeysFile", "file")) var apiKeysFile: String?
    @Option(help: .setting("adminAddress", "address")) var adminAddress: String?
    @Option(help: .setting("adminTls", "on|off")) var adminTls: String?
    @Option(help: .setting("corsAllowedOrigins", "origins")) var corsAllowedOrigins: String?
    @Option(help: .setting("trustedProxies", "addresses")) var trustedProxies: String?
    @Option(help: .setting("loadModels", "names")) var loadModels: String?
    @Option(help: .setting("modelVersions", "policies")) var modelVersions: String?
    @Option(help: .setting("modelPollSeconds", "s")) var modelPollSeconds: String?
    @Option(help: .setting("maxBatchSize", "images")) var maxBatchSize: String?
    @Option(help: .setting("maxQueueDelayMicroseconds", "us")) var maxQueueDelayMicroseconds: String?
    @Option(help: .setting("maxQueueWaitMilliseconds", "ms")) var maxQueueWaitMilliseconds: String?
    @Option(help: .setting("maxQueueSize", "images")) var maxQueueSize: String?
    @Option(help: .setting("requestDeadlineMilliseconds", "ms")) var requestDeadlineMilliseconds: String?
    @Option(help: .setting("maxBodyBytes", "bytes")) var maxBodyBytes: String?
    @Option(help: .setting("maxHeldBytes", "bytes")) var maxHeldBytes: String?
    @Option(help: .setting("maxImagesPerRequest", "images")) var maxImagesPerRequest: String?
    @Option(help: .setting("maxHeaderBytes", "bytes")) var maxHeaderBytes: String?
    @Option(help: .setting("maxTargetBytes", "bytes")) var maxTargetBytes: String?
    @Option(help: .setting("maxPixels", "pixels")) var maxPixels: String?
    @Option(help: .setting("maxScans", "count")) var maxScans: String?
    @Option(help: .setting("maxDecodeBytes", "bytes")) var maxDecodeBytes: String?
    @Option(help: .setting("tlsHandshakeTimeoutSeconds", "s")) var tlsHandshakeTimeoutSeconds: String?
    @Option(help: .setting("headerTimeoutSeconds", "s")) var headerTimeoutSeconds: String?
    @Option(help: .setting("bodyTimeoutSeconds", "s")) var bodyTimeoutSeconds: String?
    @Option(help: .setting("idleTimeoutSeconds", "s")) var idleTimeoutSeconds: String?
    @Option(help: .setting("writeTimeoutSeconds", "s")) var writeTimeoutSeconds: String?
    @Option(help: .setting("drainDelaySeconds", "s")) var drainDelaySeconds: String?
    @Option(help: .setting("drainTimeoutSeconds", "s")) var drainTimeoutSeconds: String?
    @Option(help: .setting("topK", "count")) var topK: String?
    @Option(help: .setting("page", "on|off")) var page: String?
    @Option(help: .setting("logLevel", "level")) var logLevel: String?
    @Option(help: .setting("logFormat", "text|json")) var logFormat: String?
    @Option(help: .setting("accessLog", "off|-|file")) var accessLog: String?
    @Option(help: .setting("accessLogOneIn", "count")) var accessLogOneIn: String?
    @Option(help: .setting("slowRequestMilliseconds", "ms")) var slowRequestMilliseconds: String?
    @Option(help: .setting("otlpEndpoint", "url")) var otlpEndpoint: String?
    @Option(help: .setting("traceOneIn", "count")) var traceOneIn: String?
}

extension ArgumentHelp {
    /// What the table of settings says about one.
    fileprivate static func setting(_ key: String, _ valueName: String) -> ArgumentHelp {
        guard let setting = Setting.named(key) else { preconditionFailure("no setting is called '\(key)'") }
        let standard = Settings()[setting].description
        return ArgumentHelp(
            "\(setting.reason)" + (standard.isEmpty ? "" : " (default: \(standard))"), valueName: valueName)
    }
}
