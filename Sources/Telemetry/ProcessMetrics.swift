import Parallelism

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The `process_…` metrics that Prometheus' own client libraries have, read from /proc at each scrape. A figure that
/// the system does not give is left out.
///
/// Source: proc_pid_stat(5), proc_stat(5) `btime`, proc_pid_limits(5).
public struct ProcessMetrics: MetricSource {
    private let readText: @Sendable (String) -> String?
    private let countDescriptors: @Sendable () -> Int?
    private let ticksPerSecond: Double
    private let pageBytes: Double

    public init() {
        self.init(
            readText: SystemFile.text(at:), countDescriptors: Self.openDescriptors,
            ticksPerSecond: Double(sysconf(Int32(_SC_CLK_TCK))), pageBytes: Double(sysconf(Int32(_SC_PAGESIZE))))
    }

    init(
        readText: @escaping @Sendable (String) -> String?, countDescriptors: @escaping @Sendable () -> Int?,
        ticksPerSecond: Double, pageBytes: Double
    ) {
        self.readText = readText
        self.countDescriptors = countDescriptors
        self.ticksPerSecond = ticksPerSecond
        self.pageBytes = pageBytes
    }

    public func snapshot() -> [FamilySnapshot] {
        var families: [FamilySnapshot] = []
        func add(_ name: String, _ help: String, _ value: Double?) {
            guard let value else { return }
            let kind: MetricKind = name.hasSuffix("_total") ? .counter : .gauge
            let series = FamilySnapshot.Series(labelValues: [], value: .number(value))
            families.append(FamilySnapshot(name: name, help: help, kind: kind, series: [series]))
        }
        let status = readText("/proc/self/stat").flatMap(Status.init)
        let bootTime = readText("/proc/stat").flatMap(Self.bootTime)
        add(
            "process_cpu_seconds_total", "Processor time used, user and system.",
            status.map { ($0.userTicks + $0.systemTicks) / ticksPerSecond })
        add("process_resident_memory_bytes", "Memory resident.", status.map { $0.residentPages * pageBytes })
        add("process_virtual_memory_bytes", "Address space in use.", status?.virtualBytes)
        add("process_open_fds", "File descriptors open.", countDescriptors().map(Double.init))
        add(
            "process_max_fds", "File descriptors that may be open.",
            readText("/proc/self/limits").flatMap(Self.maxFiles))
        add("process_threads", "Threads.", status?.threads)
        if let status, let bootTime {
            add(
                "process_start_time_seconds", "When the process started, since the Unix epoch.",
                bootTime + status.startTicks / ticksPerSecond)
        }
        return families
    }

    private struct Status {
        var userTicks, systemTicks, threads, startTicks, virtualBytes, residentPages: Double

        init?(_ text: String) {
            // The second field is the program's name in parentheses, with whatever a name may contain.
            guard let end = text.lastIndex(of: ")") else { return nil }
            let fields = text[end...].dropFirst().split(whereSeparator: \.isWhitespace).map { Double($0) }
            // proc_pid_stat(5) counts from 1 and from the process id; this row starts with its field 3.
            func field(_ number: Int) -> Double? { number - 3 < fields.count ? fields[number - 3] : nil }
            guard let userTicks = field(14), let systemTicks = field(15), let threads = field(20),
                let startTicks = field(22), let virtualBytes = field(23), let residentPages = field(24)
            else { return nil }
            self.userTicks = userTicks
            self.systemTicks = systemTicks
            self.threads = threads
            self.startTicks = startTicks
            self.virtualBytes = virtualBytes
            self.residentPages = residentPages
        }
    }

    private static func bootTime(_ text: String) -> Double? {
        text.split(separator: "\n").first { $0.hasPrefix("btime ") }.flatMap { Double($0.dropFirst("btime ".count)) }
    }

    /// The soft limit of `Max open files`.
    private static func maxFiles(_ text: String) -> Double? {
        let key = "Max open files"
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix(key) }),
            let limit = line.dropFirst(key.count).split(separator: " ").first
        else { return nil }
        return limit == "unlimited" ? .infinity : Double(limit)
    }

    /// The entries of /proc/self/fd, without the one for reading them.
    private static func openDescriptors() -> Int? {
        guard let directory = opendir("/proc/self/fd") else { return nil }
        defer { closedir(directory) }
        var count = 0
        while readdir(directory) != nil { count += 1 }
        return max(0, count - 3)  // ".", "..", and the directory itself
    }
}
