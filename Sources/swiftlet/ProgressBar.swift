import Parallelism

/// How far a long job is, on one line of standard error; nothing where that is no terminal.
struct ProgressBar {
    private let total: Int
    private let unit: String
    private let isVisible: Bool
    private let clock = MonotonicClock()
    private let start: Instant
    private var lastDrawn: Instant?

    private static let width = 30
    private static let intervalSeconds = 0.1

    /// - Parameter isVisible: nil where standard error is a terminal.
    init(total: Int, unit: String = "images", isVisible: Bool? = nil) {
        self.total = total
        self.unit = unit
        self.isVisible = isVisible ?? (total > 1 && StandardStream.error.isTerminal)
        start = clock.now()
    }

    /// Draws the bar, not more than ten times a second.
    mutating func update(done: Int) throws(StreamError) {
        guard isVisible else { return }
        let now = clock.now()
        if let lastDrawn, now.seconds(since: lastDrawn) < Self.intervalSeconds, done < total { return }
        lastDrawn = now
        try StandardStream.error.writeExactly(
            "\r\u{1B}[K" + Self.line(done: done, of: total, unit: unit, seconds: now.seconds(since: start)))
    }

    /// Takes the bar away, for other text or at the end; the next update draws it again.
    mutating func clear() throws(StreamError) {
        guard lastDrawn != nil else { return }
        lastDrawn = nil
        try StandardStream.error.writeExactly("\r\u{1B}[K")
    }

    /// [###---] 12/24, 50 images/s
    static func line(done: Int, of total: Int, unit: String = "images", seconds: Double) -> String {
        let filled = total == 0 ? width : width * done / total
        let bar = String(repeating: "#", count: filled) + String(repeating: "-", count: width - filled)
        let rate = seconds > 0 ? NumberText.fixed(Double(done) / seconds, 0) : "0"
        return "[\(bar)] \(done)/\(total), \(rate) \(unit)/s"
    }
}
