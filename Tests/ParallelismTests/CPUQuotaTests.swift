import Testing

@testable import Parallelism

struct CPUQuotaTests {
    private static let unified = [
        "/proc/self/cgroup": "0::/pod/app\n",
        "/proc/self/mountinfo": "32 25 0:28 / /cg rw shared:9 - cgroup2 cgroup2 rw,nsdelegate\n",
    ]

    @Test func readsWhatVersion2CountsOfThrottling() {
        var files = Self.unified
        files["/cg/pod/app/cpu.max"] = "150000 100000\n"
        files["/cg/pod/app/cpu.stat"] = """
            usage_usec 5000000
            user_usec 4000000
            system_usec 1000000
            nr_periods 120
            nr_throttled 30
            throttled_usec 2500000
            nr_bursts 0
            burst_usec 0
            """
        let quota = CPUQuota.inForce { files[$0] }
        #expect(
            quota
                == CPUQuota(cores: 1.5, throttling: .init(periods: 120, throttledPeriods: 30, throttledSeconds: 2.5)))
    }

    @Test func readsWhatVersion1CountsInNanoseconds() {
        let files = [
            "/proc/self/cgroup": "2:cpuacct:/\n1:cpu:/swiftlet\n0::/\n",
            "/proc/self/mountinfo": """
            40 25 0:33 / /cg/cpu rw - cgroup cgroup rw,cpu
            41 25 0:34 / /cg/unified rw - cgroup2 cgroup2 rw
            """,
            "/cg/cpu/swiftlet/cpu.cfs_quota_us": "50000\n",
            "/cg/cpu/swiftlet/cpu.cfs_period_us": "100000\n",
            "/cg/cpu/swiftlet/cpu.stat": "nr_periods 7\nnr_throttled 3\nthrottled_time 250000000\n",
        ]
        let quota = CPUQuota.inForce { files[$0] }
        #expect(
            quota
                == CPUQuota(cores: 0.5, throttling: .init(periods: 7, throttledPeriods: 3, throttledSeconds: 0.25)))
    }

    @Test func tellsOfTheGroupWithTheSmallestQuota() {
        var files = Self.unified
        files["/cg/pod/app/cpu.max"] = "400000 100000\n"
        files["/cg/pod/app/cpu.stat"] = "nr_periods 1\nnr_throttled 1\nthrottled_usec 1\n"
        files["/cg/pod/cpu.max"] = "200000 100000\n"
        files["/cg/pod/cpu.stat"] = "nr_periods 2\nnr_throttled 2\nthrottled_usec 2000000\n"
        let quota = CPUQuota.inForce { files[$0] }
        #expect(
            quota == CPUQuota(cores: 2, throttling: .init(periods: 2, throttledPeriods: 2, throttledSeconds: 2)))
    }

    @Test(arguments: [nil, "", "nr_periods 1\n", "nr_periods x\nnr_throttled 1\nthrottled_usec 1\n"])
    func aQuotaWithoutCountsIsStillAQuota(stat: String?) {
        var files = Self.unified
        files["/cg/pod/app/cpu.max"] = "150000 100000\n"
        files["/cg/pod/app/cpu.stat"] = stat
        #expect(CPUQuota.inForce { files[$0] } == CPUQuota(cores: 1.5, throttling: nil))
    }

    @Test func withoutALimitThereIsNoQuota() {
        var files = Self.unified
        files["/cg/pod/app/cpu.max"] = "max 100000\n"
        files["/cg/pod/app/cpu.stat"] = "nr_periods 0\nnr_throttled 0\nthrottled_usec 0\n"
        #expect(CPUQuota.inForce { files[$0] } == nil)
        #expect(CPUQuota.inForce { _ in nil } == nil)
    }

    /// One pair for each way in which a fraction becomes whole threads.
    @Test(arguments: [
        ("50000", 1), ("100000", 1), ("100001", 2), ("150000", 2), ("250000", 3), ("9223372036854775807", 4),
    ])
    func threadsAreTheQuotaRoundedUpWithinTheAffinity(quota: String, count: Int) {
        var files = Self.unified
        files["/proc/self/status"] = "Cpus_allowed_list:\t0-3\n"
        files["/cg/pod/app/cpu.max"] = "\(quota) 100000\n"
        #expect(CoreCount.available { files[$0] } == count)
    }
}
