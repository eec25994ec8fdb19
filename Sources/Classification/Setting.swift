import Logging

/// One setting: its key in config.json, what it may be, and why its default is what it is.
public struct Setting: Sendable {
    /// camelCase.
    public let key: String
    /// What the setting does, and the reason for its default: a sentence or two for docs/configuration.md.
    public let reason: String
    let kind: Kind

    enum Kind: Sendable {
        case text(WritableKeyPath<Settings, String> & Sendable)
        case choice(WritableKeyPath<Settings, String> & Sendable, [String])
        case integer(WritableKeyPath<Settings, Int> & Sendable, ClosedRange<Int>)
        case list(WritableKeyPath<Settings, [String]> & Sendable)
    }

    private init(_ key: String, _ kind: Kind, _ reason: String) {
        self.key = key
        self.kind = kind
        self.reason = reason
    }

    /// kebab-case, with its dashes.
    public var flag: String { "--" + words.joined(separator: "-") }
    /// `SWIFTLET_` and UPPER_SNAKE.
    public var environmentName: String { Self.environmentPrefix + words.joined(separator: "_").uppercased() }

    static let environmentPrefix = "SWIFTLET_"

    /// What the value must be, as the end of a sentence.
    public var allowed: String {
        switch kind {
        case .text: "a string"
        case .choice(_, let choices): "one of " + choices.joined(separator: ", ")
        case .integer(_, let range):
            range.upperBound == .max
                ? "a whole number, \(range.lowerBound) or more"
                : "a whole number, \(range.lowerBound) to \(range.upperBound)"
        case .list: "a list of strings"
        }
    }

    private var words: [String] {
        var words = [""]
        for character in key {
            if character.isUppercase { words.append("") }
            words[words.count - 1] += character.lowercased()
        }
        return words
    }
}

/// A setting's value, whatever its type.
public enum SettingValue: Equatable, Sendable {
    case text(String)
    case integer(Int)
    case list([String])
}

extension SettingValue: CustomStringConvertible {
    /// As it stands in an environment variable or behind a flag.
    public var description: String {
        switch self {
        case .text(let text): text
        case .integer(let number): String(number)
        case .list(let elements): elements.joined(separator: ",")
        }
    }
}

extension Settings {
    /// The value of a setting.
    public subscript(_ setting: Setting) -> SettingValue {
        switch setting.kind {
        case .text(let path), .choice(let path, _): .text(self[keyPath: path])
        case .integer(let path, _): .integer(self[keyPath: path])
        case .list(let path): .list(self[keyPath: path])
        }
    }
}

extension Setting {
    /// Every setting there is.
    public static let all: [Setting] = network + access + models + batching + limits + timeouts + answers

    /// The setting called `key`.
    public static func named(_ key: String) -> Setting? { byKey[key] }

    private static let byKey = Dictionary(uniqueKeysWithValues: all.map { ($0.key, $0) })

    private static let positive = 1...Int.max
    /// What memory is taken for at the start.
    private static let count = 1...1_000_000
    /// A day: whoever waits longer has mistaken the unit.
    private static let seconds = 1...86_400

    private static let network: [Setting] = [
        Setting("host", .text(\.host), "The address to listen on. All of the machine's, as a container needs it."),
        Setting("port", .integer(\.port, 0...65_535), "The port to listen on; 0 takes any that is free."),
        Setting(
            "backlog", .integer(\.backlog, 1...65_535),
            "Connections that wait to be accepted. Enough for a burst while all threads compute; the kernel's "
                + "`somaxconn` caps it."),
        Setting(
            "maxConnections", .integer(\.maxConnections, count),
            "Connections open at the same time. Idle ones cost a few kilobytes each; the limit of open files may be "
                + "lower."),
    ]

    private static let access: [Setting] = [
        Setting(
            "tlsCertificate", .text(\.tlsCertificate),
            "The server's certificate and those that lead to its authority, PEM. Empty means plain HTTP: within a "
                + "cluster TLS often ends at a proxy."),
        Setting("tlsKey", .text(\.tlsKey), "Its key, PEM. Empty means that it is in the certificate's file."),
        Setting(
            "tlsClientCa", .text(\.tlsClientCa),
            "Authorities of client certificates, PEM. Where set, clients without one are refused. Empty: any client."),
        Setting(
            "apiKeysFile", .text(\.apiKeysFile),
            "The keys that clients must have, a line each as `swiftlet key` makes it. Empty: no key is asked for."),
        Setting(
            "adminAddress", .text(\.adminAddress),
            "HOST:PORT for `/metrics` and the repository's routes, which then leave the main port. Empty: they stay there, "
                + "and the repository's are for the same machine or an admin key."),
        Setting(
            "adminTls", .choice(\.adminTls, ["off", "on"]),
            "Whether the admin address speaks TLS too; where `tlsClientCa` is set, it then asks for a client certificate as "
                + "well. off: it lies in a private network, where Prometheus scrapes in the clear."),
        Setting(
            "corsAllowedOrigins", .list(\.corsAllowedOrigins),
            "Origins whose pages a browser lets read the answers, or `*`. Empty: none, as most clients are no browsers."
        ),
        Setting(
            "trustedProxies", .list(\.trustedProxies),
            "Addresses and ranges (10.0.0.0/8, 2001:db8::/32) of proxies that are believed when they say, in `Forwarded` or "
                + "`X-Forwarded-For`, whom a request comes from. Empty: none, as anybody can write these."),
    ]

    private static let models: [Setting] = [
        Setting(
            "models", .text(\.models),
            "The directory of the model repository. Empty means `./models`, or else `../share/swiftlet/models` beside "
                + "the binary's directory."),
        Setting(
            "model", .text(\.model),
            "The model that answers where a request or command names none. Empty means the first by name."),
        Setting(
            "loadModels", .list(\.loadModels),
            "The models to load. Empty means all that the directory has. In flags and variables separated by commas."),
        Setting(
            "modelVersions", .list(\.modelVersions),
            "Which versions of a model are loaded: `latest` or `latest:N`, the highest that can be loaded; `all`; or numbers. "
                + "`NAME=` before it makes it that model's alone. The latest, so that an older one costs no memory."),
        Setting(
            "modelPollSeconds", .integer(\.modelPollSeconds, 0...86_400),
            "How often the directory of models is looked at for changes, which are then loaded. 0: never, as SIGHUP and the "
                + "repository routes say exactly when."),
        Setting(
            "threads", .integer(\.threads, 0...1024),
            "Compute threads. 0 means as many as the affinity mask and the control group's CPU quota allow: more only "
                + "take turns."),
        Setting(
            "isa", .text(\.isa),
            "The instruction set of the kernels: portable, avx2, avxvnni, avx512f, avx512vnni or amxint8, where the "
                + "machine has it. Empty means the fastest; another is for comparison."),
    ]

    private static let batching: [Setting] = [
        Setting(
            "maxBatchSize", .integer(\.maxBatchSize, 1...256),
            "Images computed together at the most; how many follows from the backlog. Beyond 8 the throughput hardly grows "
                + "and the wait of the first one does."),
        Setting(
            "maxQueueDelayMicroseconds", .integer(\.maxQueueDelayMicroseconds, 0...10_000_000),
            "How long an idle worker waits for more images. 0: batches form by themselves when all workers are busy."),
        Setting(
            "maxQueueWaitMilliseconds", .integer(\.maxQueueWaitMilliseconds, 0...86_400_000),
            "How long the images before a new request may take, as recent ones took; beyond that 503. 350: who is let in is "
                + "answered within half a second. Two images a thread are always let in; 0 means any time."),
        Setting(
            "maxQueueSize", .integer(\.maxQueueSize, count),
            "Images in the service at the same time; more are refused with 503. It bounds memory: the time that they wait is "
                + "bounded by `maxQueueWaitMilliseconds`."),
        Setting(
            "requestDeadlineMilliseconds", .integer(\.requestDeadlineMilliseconds, 0...86_400_000),
            "The deadline of requests that name none. 0: none, as only clients know how long they wait."),
    ]

    private static let limits: [Setting] = [
        Setting(
            "maxBodyBytes", .integer(\.maxBodyBytes, positive),
            "The longest request body. 16 MiB holds any phone's photo, or several."),
        Setting(
            "maxHeldBytes", .integer(\.maxHeldBytes, positive),
            "Bytes of all requests' bodies together, while they are read and answered; beyond that 503, and 413 for a "
                + "request that is more alone. Sixteen of the longest, or some thousand photos. Less than `maxBodyBytes` "
                + "is a warning at the start."),
        Setting(
            "maxImagesPerRequest", .integer(\.maxImagesPerRequest, count),
            "Images in one request. 64 keep a request shorter than a second or two."),
        Setting(
            "maxHeaderBytes", .integer(\.maxHeaderBytes, 256...16 << 20),
            "The largest header section. 16 KiB is twice what proxies and browsers send at most."),
        Setting(
            "maxTargetBytes", .integer(\.maxTargetBytes, 64...16 << 20),
            "The longest request target. RFC 9112 asks for at least 8000 bytes."),
        Setting(
            "maxPixels", .integer(\.maxPixels, positive),
            "Pixels of one image, by its header, before anything is decoded. 50 megapixels are more than most cameras "
                + "take."),
        Setting(
            "maxScans", .integer(\.maxScans, positive),
            "Scans of a progressive JPEG, each as dear as a whole decode. Encoders write about ten."),
        Setting(
            "maxDecodeBytes", .integer(\.maxDecodeBytes, positive),
            "Memory for decoding one image that its format has kept whole: a progressive JPEG, an interlaced PNG, a WebP "
                + "that is lossless or has alpha. 96 MiB hold 33 megapixels of a progressive photo at 4:2:0, 25 of an "
                + "interlaced PNG, 24 of a lossless WebP. As many as there are threads are decoded at a time."),
    ]

    private static let timeouts: [Setting] = [
        Setting(
            "tlsHandshakeTimeoutSeconds", .integer(\.tlsHandshakeTimeoutSeconds, seconds),
            "From a connection's start to the end of its TLS handshake: two round trips, and time for a lost packet."),
        Setting(
            "headerTimeoutSeconds", .integer(\.headerTimeoutSeconds, seconds),
            "From a request's first byte to the end of its header. Headers come in one packet; slower is an attack."),
        Setting(
            "bodyTimeoutSeconds", .integer(\.bodyTimeoutSeconds, seconds),
            "For a request's body. 16 MiB at 2.3 Mbit/s, a slow mobile uplink."),
        Setting(
            "idleTimeoutSeconds", .integer(\.idleTimeoutSeconds, seconds),
            "How long a connection stays open between requests. Longer than the 60 s of common load balancers, so that "
                + "they close first."),
        Setting(
            "writeTimeoutSeconds", .integer(\.writeTimeoutSeconds, seconds),
            "For a client to take an answer. Answers are small; who takes longer has gone."),
        Setting(
            "drainDelaySeconds", .integer(\.drainDelaySeconds, 0...86_400),
            "How long serving goes on after SIGTERM, for load balancers to see `/readyz` fail."),
        Setting(
            "drainTimeoutSeconds", .integer(\.drainTimeoutSeconds, seconds),
            "For the requests in flight to finish after that. With the delay this is more than Kubernetes' grace period "
                + "of 30 s, which should then be 40."),
    ]

    private static let answers: [Setting] = [
        Setting(
            "topK", .integer(\.topK, positive),
            "Classes in an answer where the request does not say. Top-5 is what ImageNet models are judged by."),
        Setting(
            "page", .choice(\.page, ["off", "on"]),
            "Whether `/` is a page to try images in a browser. on: it shows nobody more than they may ask for by themselves."
        ),
        Setting(
            "logLevel", .choice(\.logLevelName, Logger.Level.allCases.map(\.rawValue)),
            "What is logged. info: start, ready, drain, and failures, but no line a request."),
        Setting(
            "logFormat", .choice(\.logFormatName, LogFormat.allCases.map(\.rawValue)),
            "How the log is written: lines for people, or JSON. text: whoever starts the service reads it first."),
        Setting(
            "accessLog", .text(\.accessLog),
            "Where a line of JSON for each request goes: `-` is standard output, anything else but `off` a file, which SIGHUP has "
                + "opened anew. off: `/metrics` tells of all together, and a line a request fills disks."),
        Setting(
            "accessLogOneIn", .integer(\.accessLogOneIn, count),
            "How many requests there are for each that the access log has; errors and slow ones it always has. 1: all."),
        Setting(
            "slowRequestMilliseconds", .integer(\.slowRequestMilliseconds, 0...86_400_000),
            "A request that takes so long is a warning in the log, with its stages; at most five a second. 0: none, as only "
                + "clients know what is slow."),
        Setting(
            "otlpEndpoint", .text(\.otlpEndpoint),
            "The collector that spans go to by OTLP, JSON over HTTP, such as http://127.0.0.1:4318/v1/traces. Empty: none."
        ),
        Setting(
            "traceOneIn", .integer(\.traceOneIn, count),
            "How many traces that begin here there are for each that is recorded; of a trace that `traceparent` tells of, that "
                + "says whether it is. 1: all, which takes a collector on the same machine."),
    ]
}

extension Settings {
    /// `logLevel` by its name.
    fileprivate var logLevelName: String {
        get { logLevel.rawValue }
        set {
            guard let level = Logger.Level(rawValue: newValue) else { preconditionFailure("log level '\(newValue)'") }
            logLevel = level
        }
    }

    /// `logFormat` by its name.
    fileprivate var logFormatName: String {
        get { logFormat.rawValue }
        set {
            guard let format = LogFormat(rawValue: newValue) else { preconditionFailure("log format '\(newValue)'") }
            logFormat = format
        }
    }
}
