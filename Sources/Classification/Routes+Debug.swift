import Batching
import HTTP
import HTTPServer

extension Routes {
    static let batches = "/debug/batches"

    /// What shows the inside, for administrators.
    static func addDebug(to router: inout Router, _ service: ServiceContext) {
        router.add(.get, batches, access: .admin) { service.listBatches($0, $1) }
    }
}

extension ServiceContext {
    /// The last batches of the models that answer, the latest first.
    fileprivate func listBatches(_ request: Request, _ responder: Responder) {
        let batches = catalogue.all.flatMap { runner in
            runner.batcher.recentBatches.map { (model: runner.model, record: $0) }
        }
        let clock = WallClock(self.clock)
        var json = JSONWriter(capacity: 64 + 192 * batches.count)
        json.object {
            $0.array("batches") {
                for (model, record) in batches.sorted(by: { $0.record.start > $1.record.start }) {
                    $0.object {
                        $0.value("started", clock.time(of: record.start).text)
                        $0.value("model", model.name)
                        $0.value("version", String(model.version))
                        $0.value("size", record.size)
                        $0.value("reason", record.reason.rawValue)
                        $0.object("queue_ms") {
                            $0.milliseconds("min", nanoseconds: record.shortestWaitNanoseconds)
                            $0.milliseconds("median", nanoseconds: record.medianWaitNanoseconds)
                            $0.milliseconds("max", nanoseconds: record.longestWaitNanoseconds)
                        }
                        $0.milliseconds("compute_ms", nanoseconds: record.computeNanoseconds)
                        let way = record.longestWay
                        $0.object("longest_ms") {
                            $0.milliseconds("worker", nanoseconds: way.workerNanoseconds)
                            $0.milliseconds("prepare", nanoseconds: way.preparationNanoseconds)
                            $0.milliseconds("queue", nanoseconds: way.queueNanoseconds)
                            $0.milliseconds("compute", nanoseconds: record.computeNanoseconds)
                            $0.milliseconds(
                                "total", nanoseconds: way.totalNanoseconds + record.computeNanoseconds)
                        }
                    }
                }
            }
        }
        responder.respond(Response(contentType: "application/json", body: json.bytes))
    }
}
