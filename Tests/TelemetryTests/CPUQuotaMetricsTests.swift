import Testing

@testable import Telemetry

struct CPUQuotaMetricsTests {
    private func values(_ files: [String: String]) -> [String: MetricValue] {
        var files = files
        files["/proc/self/cgroup"] = "0::/app\n"
        files["/proc/self/mountinfo"] = "32 25 0:28 / /cg rw - cgroup2 cgroup2 rw\n"
        let metrics = CPUQuotaMetrics { [files] in files[$0] }
        return Dictionary(uniqueKeysWithValues: metrics.snapshot().map { ($0.name, $0.series[0].value) })
    }

    @Test func showsTheQuotaAndItsThrottling() {
        let stat = "usage_usec 9\nnr_periods 40\nnr_throttled 8\nthrottled_usec 1250000\n"
        #expect(
            values(["/cg/app/cpu.max": "50000 100000\n", "/cg/app/cpu.stat": stat]) == [
                "swiftlet_cpu_quota_cores": .number(0.5),
                "swiftlet_cpu_periods_total": .number(40),
                "swiftlet_cpu_throttled_periods_total": .number(8),
                "swiftlet_cpu_throttled_seconds_total": .number(1.25),
            ])
    }

    @Test func leavesOutWhatTheSystemDoesNotGive() {
        #expect(values(["/cg/app/cpu.max": "50000 100000\n"]) == ["swiftlet_cpu_quota_cores": .number(0.5)])
        #expect(values(["/cg/app/cpu.max": "max 100000\n"]).isEmpty)
        #expect(values([:]).isEmpty)
    }
}
