/// How many threads this process can really run at once.
public enum CoreCount {
    /// The cores that the affinity mask allows, or fewer where the control group's CPU quota is smaller (rounded up to
    /// whole cores). At least 1.
    ///
    /// Source: proc_pid_status(5), `Cpus_allowed_list`; proc_pid_mountinfo(5); Linux admin-guide/cgroup-v2 `cpu.max`,
    /// scheduler/sched-bwc `cpu.cfs_quota_us`.
    public static func available() -> Int { available(readingFile: SystemFile.text(at:)) }

    /// The same, with the system's files from `text`, which returns nil for a file that is not there.
    static func available(readingFile text: (String) -> String?) -> Int {
        let allowed = text("/proc/self/status").flatMap(allowedByAffinity) ?? 1
        guard let quota = quota(readingFile: text) else { return max(1, allowed) }
        return max(1, min(allowed, Int(quota.rounded(.up))))
    }

    /// Counts the processors in `Cpus_allowed_list: 0-3,8`.
    static func allowedByAffinity(status: String) -> Int? {
        let key = "Cpus_allowed_list:"
        guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix(key) }) else { return nil }
        var count = 0
        for range in line.dropFirst(key.count).split(separator: ",") {
            let bounds = range.split(separator: "-").map { Int($0.trimmingSpaces()) }
            guard let first = bounds.first ?? nil, let last = bounds.last ?? nil, first <= last else { return nil }
            count += last - first + 1
        }
        return count > 0 ? count : nil
    }
}

// MARK: - Control groups

extension CoreCount {
    /// The smallest CPU quota, in cores, of the process's control group and all above it; nil where there is none.
    static func quota(readingFile text: (String) -> String?) -> Double? {
        guard let groups = text("/proc/self/cgroup"), let mounts = text("/proc/self/mountinfo") else { return nil }
        let quotas = cpuGroups(groups: groups, mounts: mounts).flatMap { group in
            group.directories.compactMap { directory in
                group.isUnified
                    ? text(directory + "/cpu.max").flatMap(quota(cpuMax:))
                    : quota(
                        quotaMicroseconds: text(directory + "/cpu.cfs_quota_us"),
                        periodMicroseconds: text(directory + "/cpu.cfs_period_us"))
            }
        }
        return quotas.min()
    }

    /// `cpu.max` is `"QUOTA PERIOD"` in microseconds, or `"max PERIOD"` without a limit.
    private static func quota(cpuMax: String) -> Double? {
        let fields = cpuMax.split(whereSeparator: \.isWhitespace)
        guard fields.count == 2 else { return nil }
        return quota(quotaMicroseconds: String(fields[0]), periodMicroseconds: String(fields[1]))
    }

    private static func quota(quotaMicroseconds: String?, periodMicroseconds: String?) -> Double? {
        guard let quota = quotaMicroseconds.flatMap({ Int($0.trimmingSpaces()) }), quota > 0,
            let period = periodMicroseconds.flatMap({ Int($0.trimmingSpaces()) }), period > 0
        else { return nil }
        return Double(quota) / Double(period)
    }

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

extension StringProtocol {
    fileprivate func trimmingSpaces() -> String {
        var characters = Substring(self)
        while characters.last?.isWhitespace == true { characters.removeLast() }
        return String(characters.drop(while: \.isWhitespace))
    }
}
