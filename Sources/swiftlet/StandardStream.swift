import Classification
import Parallelism

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Standard output or standard error, unbuffered: every `write` is complete when it returns.
enum StandardStream: Int32 {
    case output = 1
    case error = 2

    var isTerminal: Bool { isatty(rawValue) == 1 }

    /// Writes text to be read. What is unsafe in it is escaped, but for newlines; so JSON stays the same JSON.
    ///
    /// - Throws: as `writeExactly`.
    func write(_ text: String) throws(StreamError) {
        try writeExactly(LogValue.escaped(text, keepsNewlines: true))
    }

    /// Writes what is to move the cursor, and data that no terminal sees.
    ///
    /// - Throws: `StreamError` where the text cannot be written, the disk being full for example.
    func writeExactly(_ text: String) throws(StreamError) {
        let code = SystemFile.write(text, to: rawValue)
        guard code == 0 else { throw StreamError(stream: self, code: code) }
    }

    /// Tells people something on standard error, on one line. Where even that cannot be written nobody is left to tell.
    static func complain(_ sentence: String) {
        try? StandardStream.error.write("swiftlet: \(LogValue.escaped(sentence))\n")
    }
}

struct StreamError: Error, Equatable, CustomStringConvertible {
    let stream: StandardStream
    /// errno's value.
    let code: Int32

    var description: String { "cannot write to standard \(stream): \(systemMessage(code))" }
}

/// What the system calls an errno value.
func systemMessage(_ code: Int32) -> String { strerror(code).map { String(cString: $0) } ?? "error \(code)" }
