import Dispatch
import Logging
import Parallelism

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Writes lines to standard error from a thread of its own: whoever logs never waits for whoever reads.
///
/// At most `capacity` lines wait; what comes beyond is dropped, and the next line that gets through says how many.
public final class LineWriter: Sendable {
    private struct State {
        var waiting = 0
        var dropped = 0
    }

    private let state = Lock(State())
    private let queue = DispatchQueue(label: "swiftlet.log")
    private let capacity: Int
    private let write: @Sendable (String) -> Void

    /// - Parameter write: writes text, however long it takes; called by one thread at a time.
    public init(capacity: Int = 1024, write: @escaping @Sendable (String) -> Void = LineWriter.toStandardError) {
        self.capacity = capacity
        self.write = write
    }

    public func callAsFunction(_ line: String) {
        let dropped = state.withLock { state -> Int? in
            guard state.waiting < capacity else {
                state.dropped += 1
                return nil
            }
            state.waiting += 1
            defer { state.dropped = 0 }
            return state.dropped
        }
        guard let dropped else { return }
        queue.async { [self] in
            write(dropped == 0 ? "\(line)\n" : "\(dropped) lines were dropped: nobody read them in time\n\(line)\n")
            state.withLock { $0.waiting -= 1 }
        }
    }

    /// Ends the process once what waits has been written, and in any case after `seconds`.
    public func exit(_ code: Int32, after seconds: Double = 1) -> Never {
        let written = DispatchSemaphore(value: 0)
        queue.async { written.signal() }
        _ = written.wait(timeout: .now() + seconds)
        _exit(code)
    }

    /// Where standard error is gone, nobody is left to tell.
    public static let toStandardError: @Sendable (String) -> Void = { _ = SystemFile.write($0, to: 2) }
}

/// Formats log entries as lines: time, level, message, metadata.
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
        let pairs = all.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
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
