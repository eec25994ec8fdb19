import Testing

@testable import Telemetry

struct ProcessMetricsTests {
    private static let files = [
        "/proc/self/stat": "4242 (a (b) c d) S 1 4242 4242 0 -1 4194560 1003 0 0 0 250 150 0 0 20 0 7 0 12345 "
            + "104857600 2560 18446744073709551615 1 1 0 0 0 0 0 4096 0 0 0 0 17 1 0 0 0 0 0\n",
        "/proc/stat": "cpu  1 2 3\nbtime 1700000000\nprocesses 9\n",
        "/proc/self/limits": """
        Limit                     Soft Limit           Hard Limit           Units
        Max processes             63432                63432                processes
        Max open files            1024                 524288               files
        """,
    ]

    private func values(without missing: String? = nil) -> [String: MetricValue] {
        let metrics = ProcessMetrics(
            readText: { $0 == missing ? nil : Self.files[$0] }, countDescriptors: { 12 }, ticksPerSecond: 100,
            pageBytes: 4096)
        return Dictionary(uniqueKeysWithValues: metrics.snapshot().map { ($0.name, $0.series[0].value) })
    }

    @Test func readsTheFieldsOfProc() {
        #expect(
            values() == [
                "process_cpu_seconds_total": .number(4),
                "process_resident_memory_bytes": .number(10_485_760),
                "process_virtual_memory_bytes": .number(104_857_600),
                "process_open_fds": .number(12),
                "process_max_fds": .number(1024),
                "process_threads": .number(7),
                "process_start_time_seconds": .number(1_700_000_123.45),
            ])
    }

    @Test func leavesOutWhatTheSystemDoesNotGive() {
        #expect(Set(values(without: "/proc/self/stat").keys) == ["process_open_fds", "process_max_fds"])
        #expect(values(without: "/proc/self/limits")["process_max_fds"] == nil)
        #expect(values(without: "/proc/stat")["process_start_time_seconds"] == nil)
    }

    @Test func readsThisProcess() {
        let families = ProcessMetrics().snapshot()
        #expect(families.count == 7)
        for family in families {
            guard case .number(let value) = family.series[0].value else {
                Issue.record("\(family.name) is no number")
                continue
            }
            #expect(value > 0, "\(family.name)")
        }
    }
}
