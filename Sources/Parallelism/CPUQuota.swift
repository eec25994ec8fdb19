/// How much of the processors the process's control group may use, and how often that held it up.
public struct CPUQuota: Equatable, Sendable {
    /// Units: cores' worth of time; a fraction is usual.
    public let cores: Double
    /// Nil where the group does not tell.
    public let throttling: Throttling?

    /// What the kernel has counted since the group was made.
    public struct Throttling: Equatable, Sendable {
        /// Periods in which the group wanted to run.
        public let periods: Double
        /// Those of them in which its quota was used up.
        public let throttledPeriods: Double
        /// For how long its threads stood still for that, those of all processors added up.
        public let throttledSeconds: Double
    }

    /// The smallest quota of the process's control group and all above it that can be seen; nil where there is none.
    ///
    /// Source: proc_pid_cgroup(5), proc_pid_mountinfo(5); Linux admin-guide/cgroup-v2 `cpu.max` and `cpu.stat`,
    /// scheduler/sched-bwc `cpu.cfs_quota_us`.
    public static func inForce(readingFile text: (String) -> String? = SystemFile.text(at:)) -> CPUQuota? {
        guard let groups = text("/proc/self/cgroup"), let mounts = text("/proc/self/mountinfo") else { return nil }
        let limited = cpuGroups(groups: groups, mounts: mounts).flatMap { group in
            group.directories.compactMap { directory -> (directory: String, cores: Double)? in
                let cores =
                    group.isUnified
                    ? text(directory + "/cpu.max").flatMap(cores(cpuMax:))
                    : cores(
                        quotaMicroseconds: text(directory + "/cpu.cfs_quota_us"),
                        periodMicroseconds: text(directory + "/cpu.cfs_period_us"))
                return cores.map { (directory, $0) }
            }
        }
        guard let smallest = limited.min(by: { $0.cores < $1.cores }) else { return nil }
        return CPUQuota(
            cores: smallest.cores, throttling: text(smallest.directory + "/cpu.stat").flatMap(Throttling.init))
    }

    /// `cpu.max` is `"QUOTA PERIOD"` in microseconds, or `"max PERIOD"` without a limit.
    private static func cores(cpuMax: String) -> Double? {
        let fields = cpuMax.split(whereSeparator: \.isWhitespace)
        guard fields.count == 2 else { return nil }
        return cores(quotaMicroseconds: String(fields[0]), periodMicroseconds: String(fields[1]))
    }

    private static func cores(quotaMicroseconds: String?, periodMicroseconds: String?) -> Double? {
        guard let quota = quotaMicroseconds.flatMap({ Int($0.trimmingSpaces()) }), quota > 0,
            let period = periodMicroseconds.flatMap({ Int($0.trimmingSpaces()) }), period > 0
        else { return nil }
        return Double(quota) / Double(period)
    }
}

extension CPUQuota.Throttling {
    /// Reads `cpu.stat`: microseconds in version 2 of the interface, nanoseconds in version 1.
    init?(_ text: String) {
        var values: [Substring: Double] = [:]
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: " ")
            if fields.count == 2, let value = UInt64(fields[1]) { values[fields[0]] = Double(value) }
        }
        guard let periods = values["nr_periods"], let throttledPeriods = values["nr_throttled"],
            let seconds = values["throttled_usec"].map({ $0 / 1e6 }) ?? values["throttled_time"].map({ $0 / 1e9 })
        else { return nil }
        self.init(periods: periods, throttledPeriods: throttledPeriods, throttledSeconds: seconds)
    }
}

// MARK: - Control groups

extension CPUQuota {
    private struct Group {
        /// Version 2 of the interface.
        var isUnified: Bool
        /// The group's own directory, and those of the groups above it that can be seen.
        var directories: [String]
    }

    private static func cpuGroups(groups: String, mounts: String) -> [Group] {
        groups.split(separator: "\n").compactMap { line in
            // hierarchy:controllers:path
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { return nil }
            let isUnified = fields[0] == "0" && fields[1].isEmpty
            guard isUnified || fields[1].split(separator: ",").contains("cpu") else { return nil }
            guard let mount = mount(isUnified: isUnified, mounts: mounts) else { return nil }
            return Group(isUnified: isUnified, directories: directories(path: String(fields[2]), mount: mount))
        }
    }

    private static func mount(isUnified: Bool, mounts: String) -> (root: String, point: String)? {
        for line in mounts.split(separator: "\n") {
            // id parent major:minor ROOT POINT options [optional fields] - TYPE source SUPER-OPTIONS
            let fields = line.split(separator: " ")
            guard let dash = fields.firstIndex(of: "-"), dash >= 6, fields.count > dash + 3 else { continue }
            let isMatch =
                isUnified
                ? fields[dash + 1] == "cgroup2"
                : fields[dash + 1] == "cgroup" && fields[dash + 3].split(separator: ",").contains("cpu")
            if isMatch { return (String(fields[3]), String(fields[4])) }
        }
        return nil
    }

    /// From the group's own directory up to the mount point. A container may see a part of the tree only: then the
    /// group's path begins with the mount's root, or leads out of what can be seen, and the mount point is all there is.
    private static func directories(path: String, mount: (root: String, point: String)) -> [String] {
        let root = mount.root.split(separator: "/")
        var components = path.split(separator: "/")[...]
        if components.starts(with: root) { components = components.dropFirst(root.count) } else { components = [] }
        if components.contains("..") { components = [] }
        var directories = [mount.point]
        for component in components { directories.append(directories.last! + "/" + component) }
        return directories.reversed()
    }
}
