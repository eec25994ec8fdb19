import Checkpoints
import Classification
import Glibc
import Logging
let settings = try Settings.load(environment: [:], configPath: nil)
var logger = Logger(label: "swiftlet") { StreamLogHandler.standardError(label: $0) }
logger.logLevel = settings.logLevel
let service = try ClassificationService(settings: settings, build: .init(version: "0", revision: "x"), logger: logger)
try ServiceProcess(service: service, logger: logger) { let t = $0 + "\n"; _ = t.withCString { write(2, $0, strlen($0)) } }.run(repository: ModelRepository(directory: settings.models))
