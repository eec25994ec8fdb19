import Dispatch
import Logging
import Parallelism
import Telemetry

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Writes lines to standard error from a thread of its own: whoever logs never waits for whoever reads.
///
/// At most `capacity` lines wait; what comes beyond is lost, as is what cannot be written, the disk being full for
/// example. The next line that gets through says how many, and why, and a counter counts them.
public final class LineWriter: Sendable {
    private struct State {
        var waiting = 0
        var dropped = 0
        var counter: Counter?
    }

    /// What could not be written since a line got through. Belongs to `queue`.
    private final class Failures: @unchecked Sendable {
        var count = 0
        var code: Int32 = 0
    }

    private let state = Lock(State())
    private let queue = DispatchQueue(label: "swiftlet.log")
    private let capacity: Int
    private let write: @Sendable (String) -> Int32
    private let failures = Failures()

    /// - Parameter write: writes text, however long it takes, and returns 0 or an `errno`; called by one thread at a time.
    public init(capacity: Int = 1024, write: @escaping @Sendable (String) -> Int32 = LineWriter.toStandardError) {
        self.capacity = capacity
        self.write = write
    }

    public func callAsFunction(_ line: String) {
        let dropped = state.withLock { state -> Int? in
            guard state.waiting < capacity else {
                state.dropped += 1
                state.counter?.increment()
                return nil
            }
            state.waiting += 1
            defer { state.dropped = 0 }
            return state.dropped
        }
        guard let dropped else { return }
        queue.async { [self] in
            attempt(dropped == 0 ? line : "\(dropped) lines were dropped: nobody read them in time\n\(line)")
            state.withLock { $0.waiting -= 1 }
        }
    }

    private func attempt(_ line: String) {
        var text = "\(line)\n"
        if failures.count > 0 {
            // The last attempt may have ended within a line.
            text = "\n\(failures.count) lines could not be written: \(Self.message(failures.code))\n" + text
        }
        let code = write(text)
        guard code != 0 else { return failures.count = 0 }
        failures.count += 1
        failures.code = code
        state.withLock { $0.counter?.increment() }
    }

    private static func message(_ code: Int32) -> String {
        strerror(code).map { String(cString: $0) } ?? "error \(code)"
    }

    /// From here on lines that are lost are counted.
    func countLosses(with counter: Counter) { state.withLock { $0.counter = counter } }

    /// Ends the process once what waits has been written, and in any case after `seconds`.
    public func exit(_ code: Int32, after seconds: Double = 1) -> Never {
        let written = DispatchSemaphore(value: 0)
        queue.async { written.signal() }
        _ = written.wait(timeout: .now() + seconds)
        _exit(code)
    }

    public static let toStandardError: @Sendable (String) -> Int32 = { SystemFile.write($0, to: 2) }
}

/// Formats log entries as lines: time, level, message, metadata as `key=value`, quoted where it is no word.
public struct LineLogHandler: LogHandler {
    public var metadata: Logger.Metadata = [:]
    public var logLevel: Logger.Level
    private let writer: LineWriter

    public init(level: Logger.Level, writer: LineWriter) {
        logLevel = level
        self.writer = writer
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { $1 }
        let pairs = all.sorted { $0.key < $1.key }.map { " \($0.key)=\(LogValue.text("\($0.value)"))" }.joined()
        writer("\(Self.timestamp()) \(event.level) \(event.message)\(pairs)")
    }

    /// The time in UTC, to the second. Source: RFC 3339.
    private static func timestamp() -> String {
        var now = time(nil)
        var parts = tm()
        gmtime_r(&now, &parts)
        func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
        return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))T"
            + "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))Z"
    }
}
