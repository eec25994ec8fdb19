import ArgumentParser
import Checkpoints
import Classification
import FoundationEssentials
import Logging
import Transport

struct ServeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Answers images over HTTP with their most probable classes.",
        discussion: """
            Loads the models of the repository, listens, and prints the address when it is ready:

              swiftlet serve --port 8080
              curl --data-binary @photo.jpg 'http://localhost:8080/v1/classify?top_k=3'

            SIGTERM drains: /readyz turns to 503 while serving goes on for the drain delay, then the listener closes, \
            requests that have begun are answered, and the process ends. A second SIGTERM skips the delay.
            """)

    @OptionGroup var configuration: ConfigurationOptions
    @OptionGroup var model: ModelOptions
    @OptionGroup var compute: ComputeOptions
    @OptionGroup var service: ServiceOptions

    func run() throws {
        let settings = try configuration.settings(model, compute, service)
        let directory = try settings.modelsDirectory(executable: ConfigurationOptions.executable)
        let lines = LineWriter(format: settings.logFormat)
        let logger = Logger(label: "swiftlet") { _ in
            LineLogHandler(level: settings.logLevel, format: settings.logFormat, writer: lines)
        }
        let service = try ClassificationService(
            settings: settings, build: BuildInformation(version: Version.number, revision: Version.commit),
            logger: logger)
        try ServiceProcess(service: service, logger: logger, say: lines, supervisor: supervisor(logger))
            .run(repository: ModelRepository(directory: directory, modelName: settings.model))
    }

    private func supervisor(_ logger: Logger) -> Supervisor? {
        do { return try Supervisor.named(in: ProcessInfo.processInfo.environment) } catch {
            logger.warning("cannot use NOTIFY_SOCKET", metadata: ["error": "\(error)"])
            return nil
        }
    }
}
