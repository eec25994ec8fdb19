import HTTP
import HTTPServer

extension Response {
    static func v2Statistics(_ runners: [ModelRunner]) -> Response {
        var json = JSONWriter(capacity: 64 + 1024 * runners.count)
        json.object {
            $0.array("model_stats") {
                for runner in runners { $0.object { write(runner, to: &$0) } }
            }
        }
        return Response(contentType: "application/json", body: json.bytes)
    }

    private static func write(_ runner: ModelRunner, to json: inout JSONWriter) {
        let statistics = runner.statistics.snapshot
        json.value("name", runner.model.name)
        json.value("version", String(runner.model.version))
        json.value("last_inference", Int(statistics.lastInference))
        json.value("inference_count", statistics.inferenceCount)
        json.value("execution_count", statistics.executionCount)
        json.object("inference_stats") {
            $0.duration("success", statistics.success)
            $0.duration("fail", statistics.fail)
            $0.duration("queue", statistics.queue)
            $0.duration("compute_input", statistics.input)
            $0.duration("compute_infer", statistics.infer)
            $0.duration("compute_output", statistics.output)
            // There is no cache.
            $0.duration("cache_hit", InferenceStatistics.Duration())
            $0.duration("cache_miss", InferenceStatistics.Duration())
        }
        json.array("batch_stats") {
            for (size, batches) in statistics.batches.sorted(by: { $0.key < $1.key }) {
                $0.object {
                    $0.value("batch_size", size)
                    $0.duration("compute_input", batches.input)
                    $0.duration("compute_infer", batches.infer)
                    $0.duration("compute_output", batches.output)
                }
            }
        }
    }
}

extension JSONWriter {
    fileprivate mutating func duration(_ name: StaticString, _ duration: InferenceStatistics.Duration) {
        object(name) {
            $0.value("count", duration.count)
            $0.value("ns", Int(duration.nanoseconds))
        }
    }
}
