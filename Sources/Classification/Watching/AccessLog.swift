import HTTP
import HTTPServer
import Logging
import Parallelism
import Synchronization
import Telemetry

/// A line of JSON for each request, or for each of so many.
///
/// Concurrency: every method may be called from any thread; none waits for the disk.
final class AccessLog: Sendable {
    private let writer: LineWriter
    /// Nil for standard output.
    private let file: LogFile?
    private let oneIn: Int
    private let slowNanoseconds: Int64?
    private let passed = Atomic(0)

    /// Requests a moment's trouble of the disk may take, some megabytes of lines.
    private static let lineCapacity = 8192
    private static let pieceBytes = 64 << 10
    private static let delayMilliseconds = 100

    /// - Returns: nil where none is wanted.
    /// - Throws: `LogFileError`.
    init?(_ settings: Settings, lostLines: Counter) throws(LogFileError) {
        guard settings.accessLog != "off" else { return nil }
        var write = LineWriter.toStandardOutput
        if settings.accessLog == "-" {
            file = nil
        } else {
            let opened = try LogFile(path: settings.accessLog)
            write = { opened.write($0) }
            file = opened
        }
        writer = LineWriter(
            capacity: Self.lineCapacity, pieceBytes: Self.pieceBytes, delayMilliseconds: Self.delayMilliseconds,
            format: .json, write: write)
        writer.countLosses(with: lostLines)
        oneIn = settings.accessLogOneIn
        slowNanoseconds =
            settings.slowRequestMilliseconds > 0 ? Int64(settings.slowRequestMilliseconds) * 1_000_000 : nil
    }

    /// Whether a request gets a line. To be asked once for each.
    func wants(_ record: RequestRecord) -> Bool {
        guard oneIn > 1, record.status < 400 else { return true }
        if let slowNanoseconds, Int64(record.seconds * 1e9) >= slowNanoseconds { return true }
        return passed.wrappingAdd(1, ordering: .relaxed).oldValue % oneIn == 0
    }

    func add(_ request: WatchedRequest) { writer(Self.line(request)) }

    /// Goes on in a new file where the old one has been renamed.
    func reopen(_ logger: Logger) {
        guard let file else { return }
        writer.afterLines {
            do throws(LogFileError) {
                try file.reopen()
                logger.info("access log reopened", metadata: ["file": "\(file.path)"])
            } catch {
                logger.error("access log not reopened, it goes on where it was", metadata: ["error": "\(error)"])
            }
        }
    }

    func flush(seconds: Double) { writer.flush(seconds: seconds) }

    static func line(_ request: WatchedRequest) -> String {
        let record = request.record
        var json = JSONWriter(capacity: 640)
        json.object {
            $0.value("time", request.started.text)
            $0.value("request_id", record.requestID)
            if let trace = request.trace {
                $0.value("trace_id", trace.traceID.description)
                $0.value("span_id", trace.spanID.description)
                if let parent = trace.parent { $0.value("parent_span_id", parent.description) }
                $0.value("sampled", trace.isSampled)
            }
            $0.value("client", "\(request.client)")
            if let name = record.keyName { $0.value("key", name) }
            $0.value("method", record.method.rawValue)
            $0.value("route", record.route)
            $0.value("path", record.path)
            $0.value("status", record.status)
            if let reason = record.reason { $0.value("reason", reason) }
            $0.value("bytes_in", record.bodyBytes)
            $0.value("bytes_out", record.answerBytes)
            $0.milliseconds("duration_ms", nanoseconds: request.nanoseconds)
            $0.object("stages_ms") {
                for stage in record.stages {
                    $0.milliseconds(key: stage.name, nanoseconds: Int64(stage.seconds * 1e9))
                }
            }
            guard let inference = request.inference else { return }
            $0.value("model", inference.model)
            $0.value("version", String(inference.version))
            $0.value("images", inference.imageCount)
            $0.value("batch_size", inference.batchSize)
        }
        return String(decoding: json.bytes, as: UTF8.self)
    }
}
