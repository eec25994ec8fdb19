import Checkpoints
import EfficientNet
import FoundationEssentials
import HTTPServer
import Logging
import Parallelism
import Tensors
import TestSupport
import Testing

@testable import Classification

/// A model of a test's repository: Lite0 with ten classes and synthetic weights.
struct TestModel {
    var name = "lite"
    var version = 1
    var inputSize = 32
    var labels = TestModel.labels
    /// Nil leaves the file out.
    var weights: [UInt8]?
    var description: [UInt8]

    static let labels = [
        "tench", "\"tabby\" cat", "back\\slash", "Käfer 🪲", "great white shark, white shark", "鳥", "</script>",
        "tab\there", "’", "ten",
    ]

    init(name: String = "lite", version: Int = 1, inputSize: Int = 32) throws {
        self.name = name
        self.version = version
        self.inputSize = inputSize
        weights = try Self.weights.get()
        description =
            ModelDescription(
                architecture: "efficientnet_lite0", dialect: .timm, inputSize: inputSize, resize: inputSize + 8,
                filter: .bicubic, mean: [0.5, 0.5, 0.5], standardDeviation: [0.25, 0.25, 0.25],
                labels: "labels.txt", licence: "CC0-1.0"
            ).json
    }

    func write(to directory: TemporaryDirectory) throws {
        let place = "models/\(name)/\(version)"
        if let weights { try directory.write(weights, to: "\(place)/model.safetensors") }
        try directory.write(description, to: "\(place)/model.json")
        try directory.write(Array(labels.map { $0 + "\n" }.joined().utf8), to: "\(place)/labels.txt")
    }

    static func tensors(gain: Double = 1.2) throws -> [String: StoredTensor] {
        let architecture = try Architecture(named: "efficientnet_lite0", dialect: .timm, classCount: labels.count)
        return SyntheticCheckpoint(architecture, dialect: .timm, gain: gain).tensors()
    }

    /// The bytes of a safetensors file.
    static func file(_ tensors: [String: StoredTensor]) throws -> [UInt8] {
        let directory = try TemporaryDirectory()
        let path = "\(directory.path)/model.safetensors"
        try Safetensors.write(tensors, to: path)
        return try Array(Data(contentsOf: URL(filePath: path)))
    }

    private static let weights = Result { try file(tensors()) }
    private static let others = Result { try file(tensors(gain: 1.1)) }

    /// The same model with other weights.
    func retrained() throws -> TestModel {
        var model = self
        model.weights = try Self.others.get()
        return model
    }
}

/// The whole service on a free port of loopback, with a repository of its own.
final class TestService {
    let service: ClassificationService
    let port: Int
    let log: RecordingLog
    let directory: TemporaryDirectory

    init(
        models: [TestModel]? = nil, clock: any Clock = MonotonicClock(),
        _ change: (inout Settings) -> Void = { _ in }
    ) throws {
        directory = try TemporaryDirectory()
        for model in try models ?? [TestModel()] { try model.write(to: directory) }
        log = RecordingLog()
        service = try Self.make(log, clock: clock, change)
        port = try service.start(repository: ModelRepository(directory: "\(directory.path)/models")).port
    }

    static func make(
        _ log: RecordingLog, clock: any Clock = MonotonicClock(), _ change: (inout Settings) -> Void = { _ in }
    ) throws -> ClassificationService {
        var settings = Settings()
        settings.host = "127.0.0.1"
        settings.port = 0
        settings.threads = 2
        // How busy the machine is does not decide who is let in.
        settings.maxQueueWaitMilliseconds = 0
        change(&settings)
        return try ClassificationService(
            settings: settings, build: BuildInformation(version: "1.2.3", revision: "abc"), logger: log.logger,
            clock: clock)
    }

    func client() throws -> RawClient { try RawClient(port: port) }

    /// One request on a connection of its own.
    func exchange(
        _ method: String, _ target: String, fields: [(name: String, value: String)] = [], body: [UInt8]? = nil
    ) throws -> RawResponse {
        try client().exchange(method, target, fields: fields, body: body)
    }

    func classify(
        _ body: [UInt8], query: String = "", fields: [(name: String, value: String)] = []
    ) throws -> RawResponse {
        try exchange("POST", "/v1/classify\(query)", fields: fields, body: body)
    }

    /// The texts of the answers to requests that are let go at the same time, one for each target.
    func together(_ targets: [String], body: [UInt8]) throws -> [String] {
        let gate = service.closeGate()
        let clients = try targets.map { target in
            let client = try client()
            try client.send("POST", target, body: body)
            return client
        }
        #expect(eventually { placesInUse == targets.count })
        gate.open()
        return try clients.map { try $0.receive().text }
    }

    /// Of the admin address.
    var adminPort: Int? { service.adminURL?.split(separator: ":").last.flatMap { Int($0) } }

    /// Writes a model into the repository, over what is there.
    func write(_ model: TestModel) throws { try model.write(to: directory) }

    /// Takes a file or directory out of the repository.
    func remove(_ path: String) throws {
        try FileManager.default.removeItem(atPath: "\(directory.path)/models/\(path)")
    }

    /// Has a change made, and waits for that.
    func change(_ change: ModelChange) throws -> ServiceFailure? {
        let done = Signal<ServiceFailure?>()
        service.models.request(change) { done.send($0) }
        guard let failure = done.wait() else { throw RawClientError.timedOut }
        return failure
    }

    /// `POST` to a route of the model repository: `index`, or `models/NAME/load`.
    func repository(_ path: String, _ body: String? = nil) throws -> RawResponse {
        try exchange("POST", "/v2/repository/\(path)", body: body.map { Array($0.utf8) })
    }

    /// Of the versions of a model that answer, in ascending order.
    func versions(of name: String = "lite") -> [Int] {
        service.context.catalogue.runners[name]?.map(\.model.version) ?? []
    }

    func metrics() throws -> MetricsPage { MetricsPage(try exchange("GET", "/metrics").text) }

    /// Places taken in the only model's queue.
    var placesInUse: Int { service.context.catalogue.all[0].batcher.placesInUse }

    /// Drains, and waits until that is done.
    @discardableResult
    func stop() -> DrainReport? { service.stop() }
}

extension ClassificationService {
    @discardableResult
    func stop() -> DrainReport? {
        let done = Signal<DrainReport>()
        finishDrain { done.send($0) }
        return done.wait()
    }

    /// Keeps all workers from taking further jobs until the gate is opened.
    func closeGate() -> Gate {
        let gate = Gate()
        for _ in 0..<context.pool.workerCount {
            let isAccepted = context.pool.submit { gate.pass() }
            precondition(isAccepted, "the pool takes no job")
        }
        return gate
    }

    /// Waits until the only worker has done all that was submitted before.
    func finishJobs() -> Bool {
        precondition(context.pool.workerCount == 1, "with several workers the last job is not the last to end")
        let done = Signal<Void>()
        return context.pool.submit { done.send(()) } && done.wait() != nil
    }
}

/// What workers wait at.
final class Gate: Sendable {
    private let opened = Signal<Void>()

    func open() { opened.send(()) }

    fileprivate func pass() {
        guard opened.wait() != nil else { return }
        // The next worker, too.
        opened.send(())
    }
}

/// Keeps what is logged.
final class RecordingLog: Sendable {
    private let lines = Lock<[(level: Logger.Level, text: String)]>([])

    var logger: Logger { Logger(label: "test") { _ in Handler(log: self) } }

    /// What was logged at any level.
    var all: [String] { lines.withLock { $0.map(\.text) } }

    /// What was logged as a warning or worse.
    var complaints: [String] { lines.withLock { $0.filter { $0.level >= .warning }.map(\.text) } }

    private struct Handler: LogHandler {
        let log: RecordingLog
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.debug

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) { log.lines.withLock { $0.append((event.level, "\(event.message)")) } }
    }
}
