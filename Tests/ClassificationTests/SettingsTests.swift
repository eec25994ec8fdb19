import TestSupport
import Testing

@testable import Classification

struct SettingsTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    func load(
        flags: [String: String] = [:], environment: [String: String] = [:], config: String? = nil,
        executable: String? = nil
    ) throws -> Settings {
        if let config { try directory.write(config.utf8, to: "config.json") }
        return try Settings.load(
            flags: flags, environment: environment, directory: directory.path, executable: executable)
    }

    /// What `body` throws, in words.
    func complaint(_ body: () throws -> Settings) -> String? {
        do { _ = try body() } catch { return "\(error)" }
        return nil
    }

    // MARK: Precedence

    @Test func aFlagIsStrongerThanAVariableThanTheFileThanTheDefault() throws {
        let config = #"{"port": 3, "topK": 3, "maxScans": 3}"#
        let settings = try load(
            flags: ["port": "1"], environment: ["SWIFTLET_PORT": "2", "SWIFTLET_TOP_K": "2"], config: config)
        #expect([settings.port, settings.topK, settings.maxScans, settings.maxBatchSize] == [1, 2, 3, 8])
        #expect(settings.origin(of: "port") == .flag("--port"))
        #expect(settings.origin(of: "topK") == .environment("SWIFTLET_TOP_K"))
        #expect(settings.origin(of: "maxScans") == .file(path: "config.json", line: 1))
        #expect(settings.origin(of: "maxBatchSize") == .default)
    }

    @Test(arguments: Setting.all) func eachSettingCanComeFromEverySource(_ setting: Setting) throws {
        let (text, json) = setting.otherValue
        func expect(_ settings: Settings, _ origin: SettingOrigin) {
            #expect(settings[setting].description == text)
            #expect(settings.origin(of: setting.key) == origin)
            for other in Setting.all where other.key != setting.key {
                #expect(settings[other] == Settings()[other], "\(other.key)")
            }
        }
        try expect(load(flags: [setting.key: text]), .flag(setting.flag))
        try expect(load(environment: [setting.environmentName: text]), .environment(setting.environmentName))
        try expect(load(config: "{\"\(setting.key)\": \(json)}"), .file(path: "config.json", line: 1))
    }

    @Test func namesAreSpelledAsEachSourceSpellsThem() throws {
        let setting = try #require(Setting.named("maxQueueDelayMicroseconds"))
        #expect(setting.flag == "--max-queue-delay-microseconds")
        #expect(setting.environmentName == "SWIFTLET_MAX_QUEUE_DELAY_MICROSECONDS")
    }

    @Test func theFileIsTheFlagsThenTheVariablesThenTheDirectorys() throws {
        try directory.write(#"{"port": 1}"#.utf8, to: "config.json")
        try directory.write(#"{"port": 2}"#.utf8, to: "variable.json")
        try directory.write(#"{"port": 3}"#.utf8, to: "flag.json")
        let environment = ["SWIFTLET_CONFIG": "variable.json"]
        func port(_ environment: [String: String], _ path: String?) throws -> Int {
            try Settings.load(environment: environment, configPath: path, directory: directory.path).port
        }
        #expect(try port([:], nil) == 1)
        #expect(try port(environment, nil) == 2)
        #expect(try port(environment, "flag.json") == 3)
        #expect(try port(environment, "\(directory.path)/flag.json") == 3)
    }

    @Test func modelsAreFoundInTheDirectoryThenBesideTheBinary() throws {
        let prefix = try TemporaryDirectory()
        let executable = "\(prefix.path)/bin/swiftlet"
        #expect(throws: SettingsError.self) { try load(executable: executable).modelsDirectory(executable: executable) }
        try prefix.write([], to: "share/swiftlet/models/README")
        #expect(try load(executable: executable).modelsDirectory() == "\(prefix.path)/share/swiftlet/models")
        try directory.write([], to: "models/README")
        #expect(try load(executable: executable).modelsDirectory() == "./models")
        #expect(try load(environment: ["SWIFTLET_MODELS": "/m"], executable: executable).modelsDirectory() == "/m")
    }

    // MARK: Faults

    static let faults: [(config: String, words: [String])] = [
        (#"{"prot": 80}"#, ["config.json, line 1: there is no setting 'prot'; did you mean 'port'?"]),
        (
            "{\n  \"port\": 1,\n  \"max-batch-sise\": 2\n}",
            ["config.json, line 3", "'max-batch-sise'", "'maxBatchSize'?"]
        ),
        (#"{"nothing": 80}"#, ["config.json, line 1", "'nothing'", "there are host, port"]),
        (#"{"": 80}"#, ["config.json, line 1", "''", "there are host, port"]),
        ("{\n\n\"port\":\n\"80\"}", ["(file config.json, line 3)", "'port'", "'80'"]),
        ("{\n\"isa\": \"vax\"}", ["(file config.json, line 2)"]),
        ("{\"port\": 1,\n\"port\": 2}", ["config.json, line 2", "'port' is there twice"]),
        ("{\"port\": 1\n  \"topK\": 2}", ["config.json, line 2, column 3"]),
        (#"{"port": "80"}"#, ["config.json", "'port'", "'80'", "a whole number, 0 to 65535"]),
        (#"{"port": 65536}"#, ["'port'", "65536", "0 to 65535"]),
        (#"{"port": -1}"#, ["'port'", "-1"]),
        (#"{"port": 80.5}"#, ["'port'", "80.5"]),
        (#"{"port": null}"#, ["'port'", "null"]),
        (#"{"port": true}"#, ["'port'", "true"]),
        (#"{"port": 1e30}"#, ["'port'"]),
        (#"{"host": 1}"#, ["'host'", "a string"]),
        (#"{"host": {"a": 1}}"#, ["'host'", "an object"]),
        (#"{"loadModels": "a"}"#, ["'loadModels'", "'a'", "a list of strings"]),
        (#"{"loadModels": ["a", 1]}"#, ["'loadModels'", "['a', 1]"]),
        (#"{"loadModels": [""]}"#, ["'loadModels'"]),
        (#"{"logLevel": "loud"}"#, ["'logLevel'", "'loud'", "trace", "critical"]),
        (#"{"isa": "vax"}"#, ["'isa'", "'vax'", "portable"]),
        (#"{"adminAddress": "9090"}"#, ["'adminAddress'", "'9090'", "HOST:PORT"]),
        (#"{"adminAddress": "::1:9090"}"#, ["'adminAddress'", "HOST:PORT"]),
        (#"{"adminAddress": "a:65536"}"#, ["'adminAddress'", "HOST:PORT"]),
        (
            #"{"otlpEndpoint": "https://collector:4318"}"#,
            ["'otlpEndpoint'", "'https://collector:4318'", "http://HOST:PORT"]
        ),
        (#"{"otlpEndpoint": "http://collector"}"#, ["'otlpEndpoint'", "http://HOST:PORT"]),
        (#"{"otlpEndpoint": "http://collector:0/a b"}"#, ["'otlpEndpoint'", "http://HOST:PORT"]),
        (#"{"logFormat": "xml"}"#, ["'logFormat'", "'xml'", "text, json"]),
        (#"{"adminTls": "yes"}"#, ["'adminTls'", "'yes'", "off, on"]),
        (
            #"{"corsAllowedOrigins": ["https://a.example/"]}"#,
            ["'corsAllowedOrigins'", "'https://a.example/'", "origins"]
        ),
        (#"{"trustedProxies": ["10.0.0.0/8", "proxy"]}"#, ["'trustedProxies'", "'proxy'", "2001:db8::/32"]),
        (#"{"trustedProxies": ["10.1.0.0/8"]}"#, ["'trustedProxies'", "'10.1.0.0/8'", "bits"]),
        (#"{"maxBatchSize": 0}"#, ["'maxBatchSize'", "1 to 256"]),
        ("", ["config.json", "JSON"]),
        ("[]", ["config.json", "object"]),
        (#"{"port": 1, "topK": 2, "port": 3}"#, ["config.json", "'port' is there twice"]),
        (#"{"port": 1, "\u0070ort": 1}"#, ["config.json", "'port' is there twice"]),
        (#"{"port": 1,}"#, ["config.json, line 1, column 12"]),
        (#"{"loadModels": ["a",]}"#, ["config.json, line 1, column 21"]),
        ("{", ["config.json", "JSON"]),
    ]

    @Test(arguments: faults) func aFaultInTheFileNamesTheKeyTheValueAndWhatIsAllowed(
        _ fault: (config: String, words: [String])
    ) throws {
        let complaint = try #require(complaint { try load(config: fault.config) })
        for word in fault.words { #expect(complaint.contains(word), "\(complaint)") }
    }

    @Test func everyMistakeIsToldAtOnceWithItsPlace() throws {
        let config = """
            {
              "prot": 1,
              "topK": 0,
              "logLevel": "loud", "maxScans": 3,
              "isa": "vax",
              "trustedProxies": ["10.1.0.0/8", "::1", "proxy"],
              "maxScans": 4,
              "modelVersions": ["none"],
              "adminAddress": "9090",
              "otlpEndpoint": "collector",
              "corsAllowedOrigins": ["a"],
              "nothing": {}
            }
            """
        let complaint = try #require(
            complaint {
                try load(
                    flags: ["threads": "many", "backlog": "0"], environment: ["SWIFTLET_MAX_PIXELS": "x"],
                    config: config)
            })
        let expected = [
            "'maxPixels' is 'x' (environment SWIFTLET_MAX_PIXELS)", "config.json, line 2: there is no setting 'prot'",
            "'topK' is 0 (file config.json, line 3)", "'logLevel' is 'loud' (file config.json, line 4)",
            "config.json, line 7: not a JSON object of settings: 'maxScans' is there twice",
            "config.json, line 12: there is no setting 'nothing'", "'backlog' is 0 (flag --backlog)",
            "'threads' is 'many' (flag --threads)", "'isa' is 'vax' (file config.json, line 5)",
            "'adminAddress' is '9090' (file config.json, line 9)",
            "'corsAllowedOrigins' is 'a' (file config.json, line 11)",
            "'trustedProxies' is '10.1.0.0/8' (file config.json, line 6)",
            "'trustedProxies' is 'proxy' (file config.json, line 6)",
            "'otlpEndpoint' is 'collector' (file config.json, line 10)",
            "'modelVersions' is 'none' (file config.json, line 8)",
        ]
        let lines = complaint.split(separator: "\n")
        #expect(lines.count == expected.count)
        for (line, beginning) in zip(lines, expected) { #expect(line.hasPrefix(beginning), "\(line)") }
    }

    /// What is wrong elsewhere is told though the file cannot be read.
    @Test func aBrokenFileHidesNoWrongVariable() throws {
        let complaint = try #require(complaint { try load(environment: ["SWIFTLET_PORT": "x"], config: "{") })
        let lines = complaint.split(separator: "\n")
        #expect(lines.count == 2 && lines[0].contains("SWIFTLET_PORT") && lines[1].contains("config.json, line 1"))
    }

    @Test func whatNeedsACertificateIsToldAtOnceWithItsPlace() throws {
        let settings = try load(
            flags: ["tlsKey": "k"], config: "{\n\"tlsClientCa\": \"c\",\n\"adminTls\": \"on\"}")
        #expect(
            throws: ServiceStartError.conflictingSettings(
                "'tlsKey' is k (flag --tls-key), 'tlsClientCa' is c (file config.json, line 2), "
                    + "'adminTls' is on (file config.json, line 3), but there is no 'tlsCertificate'")
        ) { try settings.tlsConfiguration() }
    }

    @Test func aFileThatIsNamedMustBeThere() {
        let complaint = complaint { try Settings.load(configPath: "missing.json", directory: directory.path) }
        #expect(complaint?.contains("missing.json") == true)
    }

    @Test func aFaultInAFlagOrVariableNamesIt() {
        let fromFlag = complaint { try load(flags: ["threads": "many"]) }
        #expect(fromFlag?.contains("--threads") == true && fromFlag?.contains("'many'") == true)
        let fromVariable = complaint { try load(environment: ["SWIFTLET_THREADS": "-1"]) }
        #expect(fromVariable?.contains("SWIFTLET_THREADS") == true && fromVariable?.contains("0 to 1024") == true)
    }

    @Test func aWrongValueIsAnErrorEvenWhereAStrongerOneHidesIt() {
        #expect(complaint { try load(flags: ["port": "1"], config: #"{"port": "x"}"#) } != nil)
        #expect(complaint { try load(flags: ["port": "1"], environment: ["SWIFTLET_PORT": "x"]) } != nil)
    }

    @Test(arguments: [
        ("prot", "port"), ("PORT", "port"), ("max_batch_size", "maxBatchSize"), ("maxBatchsize", "maxBatchSize"),
        ("maxPixel", "maxPixels"), ("topk", "topK"), ("thread", "threads"), ("modles", "models"),
    ])
    func theSettingThatWasMeantIsNamed(written: String, meant: String) {
        #expect(Setting.nearest(to: written)?.key == meant)
    }

    @Test(arguments: ["", "x", "nothing", "service_host", "service_port", "port_8080_tcp", "batch"])
    func whatIsLikeNoSettingNamesNone(written: String) { #expect(Setting.nearest(to: written) == nil) }

    // MARK: Variables of others

    @Test func aVariableThatIsNearlyASettingsNamesThat() throws {
        let settings = try load(environment: ["SWIFTLET_PROT": "1", "SWIFTLET_SERVICE_PORT": "2"])
        #expect(settings.warnings.count == 2)
        #expect(settings.warnings.contains("SWIFTLET_PROT: did you mean SWIFTLET_PORT?"))
    }

    @Test func unknownVariablesOnlyWarn() throws {
        let settings = try load(environment: ["SWIFTLET_SERVICE_HOST": "10.0.0.1", "PORT": "9", "SWIFTLET_TOP_K": "2"])
        #expect(settings.warnings.count == 1)
        #expect(settings.warnings.first?.contains("SWIFTLET_SERVICE_HOST") == true)
        #expect(settings.port == 8080 && settings.topK == 2)
    }

    @Test func kubernetesPortIsIgnoredWithAWarning() throws {
        let settings = try load(environment: ["SWIFTLET_PORT": "tcp://10.0.0.1:8080"], config: #"{"port": 81}"#)
        #expect(settings.port == 81)
        #expect(settings.warnings.count == 1 && settings.warnings[0].contains("tcp://10.0.0.1:8080"))
    }

    @Test func anEmptyVariableCountsAsNotSet() throws {
        let settings = try load(environment: ["SWIFTLET_PORT": "", "SWIFTLET_CONFIG": ""])
        #expect(settings == Settings())
    }

    // MARK: The pages that list them

    @Test func configJSONHasEverySettingAtItsDefault() throws {
        let settings = try Settings.load(directory: Fixtures.repositoryRoot)
        for setting in Setting.all {
            guard case .file("config.json", _) = settings.origin(of: setting.key) else {
                Issue.record("\(setting.key) comes from \(settings.origin(of: setting.key))")
                continue
            }
            if setting.key != "models" { #expect(settings[setting] == Settings()[setting], "\(setting.key)") }
        }
    }

    @Test(arguments: Setting.all) func docsListEverySettingWithItsReason(_ setting: Setting) throws {
        let page = try String(
            decoding: Fixtures.bytes("../../docs/configuration.md"), as: UTF8.self)
        let standard = Settings()[setting].description
        let row = """
            | `\(setting.key)` | `\(setting.flag)` | `\(setting.environmentName)` \
            | \(standard.isEmpty ? "empty" : "`\(standard)`") | \(setting.allowed) | \(setting.reason) |
            """
        #expect(page.split(separator: "\n").contains { $0 == row }, "missing: \(row)")
    }

    @Test func docsListNoSettingThatIsNotThere() throws {
        let page = try String(decoding: Fixtures.bytes("../../docs/configuration.md"), as: UTF8.self)
        let rows = page.split(separator: "\n").filter { $0.hasPrefix("| `") && $0.contains("`SWIFTLET_") }
        #expect(rows.count == Setting.all.count)
    }
}

extension Setting: CustomTestStringConvertible {
    public var testDescription: String { key }

    /// A value that is not the default, as text and as JSON.
    fileprivate var otherValue: (text: String, json: String) {
        switch kind {
        case .text:
            switch key {
            case "isa": ("portable", #""portable""#)
            case "adminAddress": ("[::1]:9", #""[::1]:9""#)
            case "otlpEndpoint": ("http://[::1]:9/v1/traces", #""http://[::1]:9/v1/traces""#)
            default: ("other", #""other""#)
            }
        case .choice(_, let choices): (choices.last!, "\"\(choices.last!)\"")
        case .list where key == "trustedProxies": ("10.0.0.0/8,::1", #"["10.0.0.0/8", "::1"]"#)
        case .list where key == "corsAllowedOrigins": ("*,app://b", #"["*", "app://b"]"#)
        case .integer(let path, _):
            ("\(Settings()[keyPath: path] + 1)", "\(Settings()[keyPath: path] + 1)")
        case .list:
            key == "modelVersions" ? ("all,a=2,a=3", #"["all", "a=2", "a=3"]"#) : ("a,b", #"["a", "b"]"#)
        }
    }
}
