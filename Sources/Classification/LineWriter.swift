import DequeModule
import Dispatch
import Parallelism
import Telemetry

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Writes lines from a thread of its own: whoever logs never waits for whoever reads. No text in them drives a terminal
/// or begins a line of its own: `LogValue.escaped`.
///
/// At most `capacity` lines wait; what comes beyond is lost, as is what cannot be written, the disk being full for
/// example. The next line that gets through says how many, and why, and a counter counts them.
public final class LineWriter: Sendable {
    private struct State {
        var lines = Deque<Line>()
        /// Those in `lines`, and those that are being written.
        var waiting = 0
        var dropped = 0
        /// Whether somebody's turn to write is in the queue.
        var isWriting = false
        var counter: Counter?
    }

    private struct Line {
        var text: String
        /// How many were dropped since the one before.
        var droppedBefore: Int
    }

    /// What could not be written since a line got through. Belongs to `queue`.
    private final class Failures: @unchecked Sendable {
        var count = 0
        var code: Int32 = 0
    }

    private let state = Lock(State())
    private let queue = DispatchQueue(label: "swiftlet.log")
    private let capacity: Int
    private let pieceBytes: Int
    private let delayMilliseconds: Int
    private let format: LogFormat
    private let write: @Sendable (String) -> Int32
    private let failures = Failures()

    /// - Parameters:
    ///   - pieceBytes: lines that wait are written together up to about so many bytes; 0 writes each by itself.
    ///   - delayMilliseconds: how long a line waits for others, so that they need not each wake the thread; not where a
    ///     quarter of the capacity waits.
    ///   - format: of what the writer itself has to say.
    ///   - write: writes text, however long it takes, and returns 0 or an `errno`; called by one thread at a time.
    public init(
        capacity: Int = 1024, pieceBytes: Int = 0, delayMilliseconds: Int = 0, format: LogFormat = .text,
        write: @escaping @Sendable (String) -> Int32 = LineWriter.toStandardError
    ) {
        self.capacity = capacity
        self.pieceBytes = pieceBytes
        self.delayMilliseconds = delayMilliseconds
        self.format = format
        self.write = write
    }

    public func callAsFunction(_ line: String) {
        let (begins, isMany) = state.withLock { state -> (Bool, Bool) in
            guard state.waiting < capacity else {
                state.dropped += 1
                state.counter?.increment()
                return (false, false)
            }
            state.waiting += 1
            state.lines.append(Line(text: line, droppedBefore: state.dropped))
            state.dropped = 0
            defer { state.isWriting = true }
            return (!state.isWriting, delayMilliseconds > 0 && state.lines.count == capacity / 4)
        }
        if begins {
            if delayMilliseconds == 0 {
                queue.async { [self] in writeInTurn() }
            } else {
                queue.asyncAfter(deadline: .now() + .milliseconds(delayMilliseconds)) { [self] in writeInTurn() }
            }
        }
        if isMany { queue.async { [self] in writeWaiting() } }
    }

    /// Writes what waits, with room between two pieces for whoever else wants something of the queue.
    private func writeInTurn() {
        writePiece()
        let hasMore = state.withLock { state in
            state.isWriting = !state.lines.isEmpty
            return state.isWriting
        }
        if hasMore { queue.async { [self] in writeInTurn() } }
    }

    /// Writes what waits now, and not what comes meanwhile.
    private func writeWaiting() {
        var left = state.withLock { $0.lines.count }
        while left > 0 { left -= writePiece() }
    }

    /// - Returns: how many lines; 0 where none waits.
    @discardableResult
    private func writePiece() -> Int {
        let (lines, counter) = state.withLock { (takePiece(&$0), $0.counter) }
        if lines.isEmpty { return 0 }
        attempt(lines, counter)
        state.withLock { $0.waiting -= lines.count }
        return lines.count
    }

    private func takePiece(_ state: inout State) -> [Line] {
        var piece: [Line] = []
        var bytes = 0
        while let line = state.lines.first, piece.isEmpty || bytes + line.text.utf8.count <= pieceBytes {
            bytes += line.text.utf8.count + 1
            piece.append(line)
            state.lines.removeFirst()
        }
        return piece
    }

    private func attempt(_ lines: [Line], _ counter: Counter?) {
        var text = ""
        if failures.count > 0 {
            // The last attempt may have ended within a line.
            text = "\n" + notice("\(failures.count) lines could not be written: \(Self.message(failures.code))")
        }
        for line in lines {
            if line.droppedBefore > 0 {
                text += notice("\(line.droppedBefore) lines were dropped: nobody read them in time")
            }
            text += LogValue.escaped(line.text)
            text += "\n"
        }
        let code = write(text)
        guard code != 0 else { return failures.count = 0 }
        failures.count += lines.count
        failures.code = code
        counter?.increment(by: lines.count)
    }

    private func notice(_ text: String) -> String {
        switch format {
        case .text: return text + "\n"
        case .json: return LogFormat.json(.warning, text, [:]) + "\n"
        }
    }

    private static func message(_ code: Int32) -> String {
        strerror(code).map { String(cString: $0) } ?? "error \(code)"
    }

    /// From here on lines that are lost are counted.
    func countLosses(with counter: Counter) { state.withLock { $0.counter = counter } }

    /// Does something between two lines, after those that wait now.
    func afterLines(_ work: @escaping @Sendable () -> Void) {
        queue.async { [self] in
            writeWaiting()
            work()
        }
    }

    /// Waits until what waits now has been written, and at most so long.
    func flush(seconds: Double) {
        let written = DispatchSemaphore(value: 0)
        afterLines { written.signal() }
        _ = written.wait(timeout: .now() + seconds)
    }

    /// Ends the process once what waits has been written, and in any case after `seconds`.
    public func exit(_ code: Int32, after seconds: Double = 1) -> Never {
        flush(seconds: seconds)
        _exit(code)
    }

    public static let toStandardError: @Sendable (String) -> Int32 = { SystemFile.write($0, to: 2) }
    public static let toStandardOutput: @Sendable (String) -> Int32 = { SystemFile.write($0, to: 1) }
}
