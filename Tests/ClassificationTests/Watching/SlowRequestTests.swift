import HTTP
import Logging
import Parallelism
import TestSupport
import Testing

@testable import Classification
@testable import HTTPServer

struct SlowRequestTests {
    private func request(seconds: Double) -> WatchedRequest {
        WatchedRequest(
            record: RequestRecord(
                route: "/x", method: .get, status: 200, seconds: seconds,
                stages: [Stage(name: "read", seconds: 0.002)], requestID: "r"), trace: nil,
            started: .now, clock: WallClock(MonotonicClock()))
    }

    @Test func warnsOfNoMoreThanAFewASecondAndSaysHowManyMore() throws {
        let written = Lock<[String]>([])
        let writer = LineWriter { text in
            written.withLock { $0.append(text) }
            return 0
        }
        let clock = ManualClock()
        var settings = Settings()
        settings.slowRequestMilliseconds = 10
        let logger = Logger(label: "x") { _ in LineLogHandler(level: .info, writer: writer) }
        let slow = try #require(SlowRequests(settings, logger: logger, clock: clock))
        #expect(slow.isSlow(request(seconds: 0.01).record) && !slow.isSlow(request(seconds: 0.0099).record))
        for _ in 0..<SlowRequests.linesPerSecond + 3 { slow.add(request(seconds: 0.0125)) }
        clock.advance(seconds: 1)
        slow.add(request(seconds: 0.02))
        let count = SlowRequests.linesPerSecond + 1
        #expect(eventually { written.withLock { $0.count } == count })
        let lines = written.withLock { $0 }
        #expect(lines[0].contains("warning slow request") && lines[0].contains("duration_ms=12.5"))
        #expect(lines[0].contains("read_ms=2.0") && !lines[0].contains("not_logged"))
        #expect(lines[count - 1].contains("slow_requests_not_logged=3"))
    }

    @Test func ofTheServiceHasTheStages() throws {
        let test = try TestService {
            $0.slowRequestMilliseconds = 1
            $0.maxQueueDelayMicroseconds = 2000
        }
        // A lone image waits for others: more than the millisecond.
        #expect(try test.classify(Upload.jpeg("420")).status == 200)
        test.stop()
        #expect(test.log.complaints == ["slow request"])
    }

    @Test func noneIsSlowWhereNobodyAsks() {
        #expect(SlowRequests(Settings(), logger: RecordingLog().logger, clock: ManualClock()) == nil)
    }
}
