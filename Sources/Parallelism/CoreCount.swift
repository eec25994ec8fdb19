/// How many threads this process can really run at once.
public enum CoreCount {
    /// The cores that the affinity mask allows, or fewer where the control group's CPU quota is smaller (rounded up to
    /// whole cores). At least 1.
    ///
    /// Source: proc_pid_status(5), `Cpus_allowed_list`.
    public static func available() -> Int { available(readingFile: SystemFile.text(at:)) }

    /// The same, with the system's files from `text`, which returns nil for a file that is not there.
    static func available(readingFile text: (String) -> String?) -> Int {
        let allowed = text("/proc/self/status").flatMap(allowedByAffinity) ?? 1
        guard let quota = CPUQuota.inForce(readingFile: text) else { return max(1, allowed) }
        // What is more than all cores is no limit, and might not even be an Int.
        return quota.cores < Double(allowed) ? max(1, Int(quota.cores.rounded(.up))) : max(1, allowed)
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

extension StringProtocol {
    func trimmingSpaces() -> String {
        var characters = Substring(self)
        while characters.last?.isWhitespace == true { characters.removeLast() }
        return String(characters.drop(while: \.isWhitespace))
    }
}
