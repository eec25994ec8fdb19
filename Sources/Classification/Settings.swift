import Logging

/// Everything that can be set, with its default. What each value may be and why its default is what it is says
/// `Setting.all`; where the values in force come from, `origin(of:)`.
public struct Settings: Equatable, Sendable {
    /// The address to listen on.
    public var host = "0.0.0.0"
    /// 0 takes any that is free.
    public var port = 8080
    /// Empty means plain HTTP.
    public var tlsCertificate = ""
    /// Empty means that the certificate's file has it.
    public var tlsKey = ""
    /// Empty means that clients need no certificate.
    public var tlsClientCa = ""
    /// Empty means that clients need no key.
    public var apiKeysFile = ""
    /// Empty means none.
    public var adminAddress = ""
    /// `on` or `off`.
    public var adminTls = "off"
    /// Empty means none.
    public var corsAllowedOrigins: [String] = []
    /// Addresses and ranges of them; empty means none.
    public var trustedProxies: [String] = []
    /// The directory of the model repository; empty where none was found.
    public var models = ""
    /// The model that answers where a request or a command names none; empty means the first by name.
    public var model = ""
    /// The models to load; empty means all.
    public var loadModels: [String] = []
    /// Which versions of them, as `VersionPolicies` reads it.
    public var modelVersions = ["latest:1"]
    /// How often the directory of models is looked at; 0 means never.
    public var modelPollSeconds = 0
    /// Compute threads; 0 means as many as `threadCount` finds cores.
    public var threads = 0
    /// The instruction set of the kernels; empty means the fastest.
    public var isa = ""
    /// Units: images.
    public var maxBatchSize = 8
    public var maxQueueDelayMicroseconds = 0
    /// Units: images.
    public var maxQueueSize = 256
    /// 0 means any time.
    public var maxQueueWaitMilliseconds = 350
    public var maxBodyBytes = 16 << 20
    /// Of all requests together.
    public var maxHeldBytes = 256 << 20
    public var maxImagesPerRequest = 64
    public var maxHeaderBytes = 16 << 10
    public var maxTargetBytes = 8 << 10
    public var maxPixels = 50_000_000
    public var maxScans = 100
    /// For one image that its coding has kept whole.
    public var maxDecodeBytes = 96 << 20
    public var maxConnections = 10_000
    public var backlog = 1024
    public var tlsHandshakeTimeoutSeconds = 10
    public var headerTimeoutSeconds = 10
    public var bodyTimeoutSeconds = 60
    public var idleTimeoutSeconds = 75
    public var writeTimeoutSeconds = 30
    public var drainDelaySeconds = 5
    public var drainTimeoutSeconds = 30
    /// 0 means none.
    public var requestDeadlineMilliseconds = 0
    public var topK = 5
    /// `on` or `off`.
    public var page = "on"
    public var logLevel = Logger.Level.info
    public var logFormat = LogFormat.text
    /// `off`, `-` for standard output, or a file.
    public var accessLog = "off"
    /// How many requests there are for each that is logged.
    public var accessLogOneIn = 1
    /// 0 means none.
    public var slowRequestMilliseconds = 0
    /// Empty means none.
    public var otlpEndpoint = ""
    /// How many traces there are for each that is recorded.
    public var traceOneIn = 1

    /// By key; a setting at its default is not in it.
    var origins: [String: SettingOrigin] = [:]
    /// What was passed over and its owner should know, each a sentence.
    public internal(set) var warnings: [String] = []

    /// The defaults.
    public init() {}

    /// Where the value of the setting called `key` comes from.
    public func origin(of key: String) -> SettingOrigin { origins[key] ?? .default }
}

/// Where a value comes from, the strongest first.
public enum SettingOrigin: Equatable, Sendable {
    /// A flag of the command line, such as `--port`.
    case flag(String)
    /// An environment variable, by its name.
    case environment(String)
    /// A configuration file, by its path, and the line of the key.
    case file(path: String, line: Int)
    case `default`
}

extension SettingOrigin: CustomStringConvertible {
    public var description: String {
        switch self {
        case .flag(let name): "flag \(name)"
        case .environment(let name): "environment \(name)"
        case .file(let path, let line): "file \(path), line \(line)"
        case .default: "default"
        }
    }
}

/// Why the settings cannot be used.
public enum SettingsError: Error, Equatable, Sendable {
    case unreadableFile(path: String, reason: String)
    /// Not a JSON object.
    case malformedFile(place: String, reason: String)
    case unknownKey(place: String, key: String)
    /// A value of the wrong type, or one that cannot be.
    case invalidValue(key: String, value: String, origin: SettingOrigin, allowed: String)
    /// No directory of models was named, and none is where one is looked for.
    case noModels(searched: [String])
    /// Two or more of the others.
    case several([SettingsError])

    /// Each thing that is wrong.
    public var faults: [SettingsError] { if case .several(let faults) = self { faults } else { [self] } }
}

/// What is found to be wrong with settings, so that all of it can be told at once.
struct SettingsFaults {
    private var faults: [SettingsError] = []

    /// - Returns: what `body` does, or nil where it throws.
    mutating func noting<Result>(_ body: () throws(SettingsError) -> Result) -> Result? {
        do throws(SettingsError) { return try body() } catch {
            add(error)
            return nil
        }
    }

    mutating func add(_ fault: SettingsError) { faults += fault.faults }

    /// - Throws: what was noted, if anything.
    func check() throws(SettingsError) {
        if faults.count > 1 { throw .several(faults) }
        if let fault = faults.first { throw fault }
    }
}

extension SettingsError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unreadableFile(let path, let reason): "cannot read \(path): \(reason)"
        case .malformedFile(let place, let reason): "\(place): not a JSON object of settings: \(reason)"
        case .unknownKey(let place, let key):
            "\(place): there is no setting '\(key)'; "
                + (Setting.nearest(to: key).map { "did you mean '\($0.key)'?" }
                    ?? "there are " + Setting.all.map(\.key).joined(separator: ", "))
        case .invalidValue(let key, let value, let origin, let allowed):
            "'\(key)' is \(value) (\(origin)), but must be \(allowed)"
        case .noModels(let searched):
            "no directory of models: name one with --models, SWIFTLET_MODELS or 'models' in config.json; "
                + "looked for " + searched.joined(separator: " and ")
        case .several(let faults): faults.map(\.description).joined(separator: "\n")
        }
    }
}
