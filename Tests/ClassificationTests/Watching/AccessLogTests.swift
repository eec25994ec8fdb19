import FoundationEssentials
import HTTPTypes
import Parallelism
import TestSupport
import Testing

@testable import Classification
@testable import HTTPServer

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

struct AccessLogTests {
    struct Line: Decodable {
        var time, request_id, method, route, path: String
        var status, bytes_in, bytes_out: Int
        var duration_ms: Double
        var stages_ms: [String: Double]
        var trace_id, span_id, parent_span_id, client, model, version, reason: String?
        var sampled: Bool?
        var images, batch_size: Int?
    }

    private let directory: TemporaryDirectory
    private var path: String { "\(directory.path)/access.log" }

    init() throws { directory = try TemporaryDirectory() }

    private func text(_ path: String) throws -> String {
        String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self)
    }

    private func lines(_ path: String? = nil) throws -> [Line] {
        try text(path ?? self.path).split(separator: "\n").map { try decodeJSON(Line.self, Array($0.utf8)) }
    }

    @Test func hasALineForEachRequest() throws {
        let test = try TestService { $0.accessLog = path }
        let image = try Upload.jpeg("420")
        let body = Upload.multipart([image, image])
        let classified = try test.classify(
            body, query: "?top_k=2", fields: [Upload.multipartType, ("X-Request-Id", "mine")])
        #expect(classified.status == 200)
        let absent = try test.exchange("GET", "/nowhere?secret=1")
        #expect(try test.exchange("HEAD", "/livez").status == 200)
        test.stop()
        let lines = try lines()
        #expect(lines.map(\.status) == [200, absent.status, 200] && lines.map(\.method) == ["POST", "GET", "HEAD"])
        let line = try #require(lines.first)
        #expect(line.request_id == "mine" && line.route == "/v1/classify" && line.path == "/v1/classify")
        #expect(line.bytes_in == body.count && line.bytes_out == classified.body.count && line.client == "127.0.0.1")
        #expect(line.model == "lite" && line.version == "1" && line.images == 2)
        let batchSize = try #require(line.batch_size)
        #expect([1, 2].contains(batchSize))
        #expect(Set(line.stages_ms.keys) == Set(classified.stages.map(\.name)))
        for stage in classified.stages {
            let logged = try #require(line.stages_ms[stage.name])
            #expect(abs(logged - stage.milliseconds) < 0.0011, "\(stage)")
        }
        #expect(line.stages_ms.values.allSatisfy { $0 >= 0 && $0 <= line.duration_ms })
        #expect(line.time.utf8.count == 24 && line.time.hasSuffix("Z"))
        // What was asked for behind the question mark is nobody's business.
        #expect(try !text(path).contains("secret"))
        #expect(lines[2].bytes_out == 0 && lines[2].model == nil && lines[1].request_id == absent["x-request-id"])
    }

    @Test func saysWhyAnAnswerIsAnError() throws {
        let test = try TestService {
            $0.accessLog = path
            $0.threads = 1
            $0.maxQueueSize = 1
            $0.maxBodyBytes = 100_000
        }
        #expect(try test.classify([1]).status == 415)
        #expect(try test.classify([]).status == 400)
        #expect(try test.classify([1], query: "?model=a_private_name").status == 404)
        #expect(try test.classify([UInt8](repeating: 0, count: 100_001)).status == 413)
        _ = try test.exchange("GET", "/nowhere")
        _ = try test.exchange("DELETE", "/v1/classify")
        let gate = test.service.closeGate()
        let client = try test.client()
        try client.send("POST", "/v1/classify", body: Upload.jpeg("420"))
        #expect(eventually { test.placesInUse == 1 })
        #expect(try test.classify(Upload.jpeg("420")).status == 503)
        gate.open()
        #expect(try client.receive().status == 200)
        test.service.beginDrain()
        #expect(try test.exchange("GET", "/readyz").status == 503)
        test.stop()
        #expect(
            try lines().map(\.reason) == [
                "bad_image", "empty_body", "no_such_model", "too_large", "not_found", "method_not_allowed",
                "queue_full", nil, "not_ready",
            ])
    }

    /// An end of the client's side in the middle of its request is its leaving; one that still reads is told so.
    @Test func aClientThatLeavesWhileItSendsHasALineWithWhatCameOfIt() throws {
        let test = try TestService { $0.accessLog = path }
        let client = try test.client()
        try client.send("POST /v1/classify HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n")
        try client.send([UInt8](repeating: 0, count: 77))
        client.finishSending()
        #expect(try client.receive().status == 400)
        let page = try test.metrics()
        #expect(page.rejections("disconnected") == 1)
        #expect(page.requests("/v1/classify", 499) == 1 && page.requests("/v1/classify", 400) == 0)
        test.stop()
        let line = try #require(try lines().first)
        #expect(line.status == 499 && line.reason == "disconnected" && line.bytes_in == 77)
    }

    @Test func goesOnWithTheClientsTrace() throws {
        let test = try TestService { $0.accessLog = path }
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        for parent in ["00-\(trace)-00f067aa0ba902b7-01", "00-\(trace)-00F067AA0BA902B7-01"] {
            _ = try test.exchange("GET", "/v1/models", fields: [("traceparent", parent)])
        }
        _ = try test.exchange("GET", "/livez")
        let page = try test.exchange("GET", "/metrics", fields: [("Accept", "application/openmetrics-text")]).text
        test.stop()
        let lines = try lines()
        #expect(lines[0].trace_id == trace && lines[0].parent_span_id == "00f067aa0ba902b7" && lines[0].sampled == true)
        #expect(lines[0].span_id?.utf8.count == 16 && lines[0].span_id != lines[0].parent_span_id)
        // Not as the specification has it: a new trace, which this log alone knows of.
        let made = try #require(lines[1].trace_id)
        #expect(made != trace && made.utf8.count == 32 && lines[1].parent_span_id == nil && lines[1].sampled == false)
        #expect(lines[2].trace_id == nil)
        // The last of a bucket stays.
        let exemplars = page.split(separator: "\n").filter { $0.contains("# {trace_id=") }
        #expect(!exemplars.isEmpty)
        #expect(
            exemplars.allSatisfy { $0.contains("route=\"/v1/models\"") && ($0.contains(made) || $0.contains(trace)) })
    }

    @Test func aSampleHasAllErrors() throws {
        let test = try TestService {
            $0.accessLog = path
            $0.accessLogOneIn = 5
        }
        for _ in 0..<10 { _ = try test.exchange("GET", "/v1/models") }
        for _ in 0..<3 { _ = try test.exchange("GET", "/nowhere") }
        test.stop()
        #expect(try lines().map(\.status) == [200, 200, 404, 404, 404])
    }

    @Test func goesOnInANewFileWhereTheOldOneWasRenamed() throws {
        let test = try TestService { $0.accessLog = path }
        _ = try test.exchange("GET", "/v1/models/first")
        // It is written by another thread.
        #expect(try eventually { try !text(path).isEmpty })
        #expect(rename(path, path + ".1") == 0)
        _ = try test.exchange("GET", "/v1/models/second")
        test.service.reopenLogs()
        #expect(eventually { access(path, F_OK) == 0 })
        _ = try test.exchange("GET", "/v1/models/third")
        test.stop()
        let all = try lines(path + ".1") + lines()
        #expect(all.map(\.path) == ["/v1/models/first", "/v1/models/second", "/v1/models/third"])
        #expect(try lines().contains { $0.path == "/v1/models/third" })
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o640)
    }

    @Test func whereItCannotBeWrittenNothingStarts() throws {
        let log = RecordingLog()
        for place in ["\(directory.path)/missing/access.log", directory.path] {
            #expect(throws: LogFileError.self) { try TestService.make(log) { $0.accessLog = place } }
        }
        // A pipe that nobody reads would hold everything up.
        let pipe = "\(directory.path)/pipe"
        #expect(mkfifo(pipe, 0o600) == 0)
        #expect(throws: LogFileError(path: pipe, code: ENXIO)) { try TestService.make(log) { $0.accessLog = pipe } }
    }

    @Test func cutsPathsThatAreLongerThanAnythingMeant() throws {
        let path = "/" + String(repeating: "a", count: 5000)
        let record = RequestRecord(
            route: "unmatched", method: .get, status: 404, seconds: 0.0015, stages: [], requestID: "x", path: path)
        let clock = WallClock(ManualClock())
        let request = WatchedRequest(
            record: record, trace: nil, started: WallTime(nanoseconds: 1_500_000_000), clock: clock)
        let line = try decodeJSON(Line.self, Array(AccessLog.line(request).utf8))
        #expect(line.path.utf8.count < 1030 && line.time == "1970-01-01T00:00:01.500Z" && line.duration_ms == 1.5)
    }

    @Test func whatWaitsHoldsNothingLongThatAClientSent() throws {
        let method = try #require(HTTPRequest.Method(String(repeating: "A", count: 8000)))
        let record = RequestRecord(
            route: "unmatched", method: method, status: 404, seconds: 0.0015, stages: [], requestID: "x",
            path: "/" + String(repeating: "a", count: 7500), traceParent: String(repeating: "0", count: 7000))
        let request = WatchedRequest(record: record, trace: nil, started: .now, clock: WallClock(ManualClock()))
        #expect(request.record.traceParent == nil && request.record.path.utf8.count <= 1024 + 3)
        #expect(request.record.method.rawValue.utf8.count == 32)
        #expect(AccessLog.line(request).utf8.count < 2048)
    }

    @Test func linesAreWrittenThoughTheServiceHasNotDrained() throws {
        let test = try TestService { $0.accessLog = path }
        defer { test.stop() }
        _ = try test.exchange("GET", "/v1/models")
        #expect(test.service.loseRequests() == 0)
        #expect(try lines().count == 1)
    }
}
