import Testing

@testable import Parallelism

struct CoreCountTests {
    @Test(arguments: [("0-1", 2), ("3", 1), ("0-3,8,10-11", 7), ("0,2,4", 3)])
    func countsTheAffinityList(list: String, count: Int) {
        #expect(
            CoreCount.allowedByAffinity(status: "Name:\tx\nCpus_allowed:\tff\nCpus_allowed_list:\t\(list)\n") == count)
    }

    @Test(arguments: ["", "Cpus_allowed_list:\t\n", "Cpus_allowed_list:\t5-2\n", "Cpus_allowed_list:\tall\n"])
    func knowsNothingFromAListThatIsNone(status: String) {
        #expect(CoreCount.allowedByAffinity(status: status) == nil)
    }

    @Test(arguments: [
        (["/ctr/cgroup/pod/app/cpu.max": "150000 100000\n"], 2),
        (["/ctr/cgroup/pod/app/cpu.max": "max 100000\n"], 16),
        (["/ctr/cgroup/pod/app/cpu.max": "max 100000\n", "/ctr/cgroup/pod/cpu.max": "300000 100000\n"], 3),
        (["/ctr/cgroup/pod/app/cpu.max": "800000 100000\n", "/ctr/cgroup/cpu.max": "400000 100000\n"], 4),
        (["/ctr/cgroup/pod/app/cpu.max": "10000 100000\n"], 1),
        (["/ctr/cgroup/pod/app/cpu.max": "6400000 100000\n"], 16),
        (["/ctr/cgroup/pod/app/cpu.max": "nonsense"], 16),
        ([:], 16),
    ])
    func takesTheSmallestUnifiedQuotaOnTheWayUp(files: [String: String], count: Int) {
        var files = files
        files["/proc/self/status"] = "Cpus_allowed_list:\t0-15\n"
        files["/proc/self/cgroup"] = "0::/pod/app\n"
        files["/proc/self/mountinfo"] = """
            25 30 0:23 / /sys rw,nosuid - sysfs sysfs rw
            32 25 0:28 / /ctr/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate
            """
        #expect(CoreCount.available { files[$0] } == count)
    }

    @Test func findsAVersion1QuotaUnderneathTheMountsRoot() {
        let files = [
            "/proc/self/status": "Cpus_allowed_list:\t0-7\n",
            "/proc/self/cgroup": "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc/inner\n0::/\n",
            "/proc/self/mountinfo": """
            40 25 0:33 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory
            41 25 0:34 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct
            """,
            "/sys/fs/cgroup/cpu,cpuacct/inner/cpu.cfs_quota_us": "-1\n",
            "/sys/fs/cgroup/cpu,cpuacct/inner/cpu.cfs_period_us": "100000\n",
            "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "250000\n",
            "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        ]
        #expect(CoreCount.available { files[$0] } == 3)
    }

    @Test(arguments: ["/elsewhere", "/../sibling"]) func looksOnlyAtTheMountPointForAGroupOutsideOfIt(path: String) {
        let files = [
            "/proc/self/status": "Cpus_allowed_list:\t0-7\n",
            "/proc/self/cgroup": "0::\(path)\n",
            "/proc/self/mountinfo": "32 25 0:28 /kubepods/x /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n",
            "/sys/fs/cgroup/cpu.max": "200000 100000\n",
        ]
        #expect(CoreCount.available { files[$0] } == 2)
    }

    @Test func isOneWhereTheSystemSaysNothing() {
        #expect(CoreCount.available { _ in nil } == 1)
    }

    @Test func isAtLeastOneHere() {
        #expect(CoreCount.available() >= 1)
    }
}
