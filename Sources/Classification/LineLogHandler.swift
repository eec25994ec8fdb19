import HTTP
import Logging

/// How the lines of the log are written.
public enum LogFormat: String, CaseIterable, Sendable {
    /// Time, level, message, and metadata as `key=value`, quoted where it is no word.
    case text
    /// An object with `time`, `level`, `message` and, where there is any, `metadata`.
    case json

    /// One entry, without its newline.
    static func json(_ level: Logger.Level, _ message: String, _ metadata: Logger.Metadata) -> String {
        var json = JSONWriter()
        json.object {
            $0.value("time", WallTime.now.text)
            $0.value("level", level.rawValue)
            $0.value("message", message)
            guard !metadata.isEmpty else { return }
            $0.object("metadata") {
                for (key, value) in metadata.sorted(by: { $0.key < $1.key }) { $0.metadata(key, value) }
            }
        }
        return String(decoding: json.bytes, as: UTF8.self)
    }
}

/// Formats log entries as lines.
public struct LineLogHandler: LogHandler {
    public var metadata: Logger.Metadata = [:]
    public var logLevel: Logger.Level
    private let format: LogFormat
    private let writer: LineWriter

    public init(level: Logger.Level, format: LogFormat = .text, writer: LineWriter) {
        logLevel = level
        self.format = format
        self.writer = writer
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { $1 }
        switch format {
        case .json: writer(LogFormat.json(event.level, "\(event.message)", all))
        case .text:
            let pairs = all.sorted { $0.key < $1.key }.map { " \($0.key)=\(LogValue.text("\($0.value)"))" }.joined()
            writer("\(WallTime.now.secondsText) \(event.level) \(event.message)\(pairs)")
        }
    }
}

extension JSONWriter {
    /// A number that was handed over as one is written as one; what looks like a number in a text may be a name.
    fileprivate mutating func metadata(_ key: String, _ value: Logger.Metadata.Value) {
        switch value {
        case .stringConvertible(let number as any BinaryInteger):
            json(key: key, number.description)
        case .stringConvertible(let number as Double) where number.isFinite: json(key: key, number.description)
        case .dictionary(let members):
            object(key: key) {
                for (key, value) in members.sorted(by: { $0.key < $1.key }) { $0.metadata(key, value) }
            }
        default: self.value(key: key, "\(value)")
        }
    }
}
