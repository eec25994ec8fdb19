import HTTP

extension FuzzTarget {
    private static let head = Array("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".utf8)

    /// A chunked body: the same data, end and refusal as a plain decoder finds that has all of it before it.
    static let chunks = FuzzTarget("chunks", maximumBytes: 256) { bytes in
        let stream = ParsedStream(head + bytes)
        switch PlainChunkDecoder.decode(bytes) {
        case .data(let data, let end):
            guard let request = stream.requests.first else { return "refused, but well-formed" }
            guard request.body == data else { return "other data" }
            let rest = ParsedStream(Array(bytes[end...]))
            guard stream.requests.count == rest.requests.count + 1, stream.error == rest.error else {
                return "another end"
            }
        case .malformed: guard stream.requests.isEmpty, stream.error != nil else { return "taken, but malformed" }
        case .incomplete: guard stream.requests.isEmpty, stream.isUnfinished else { return "not waited for" }
        case .limited: guard stream.requests.isEmpty, stream.error != nil else { return "taken, but too large" }
        }
        return nil
    }
}

/// A decoder of chunks that is made to be read, not to be fast. Source: RFC 9112 §7.1.
private struct PlainChunkDecoder {
    enum Outcome {
        case data([UInt8], end: Int)
        case malformed, incomplete, limited
    }

    private struct Stop: Error {
        var outcome: Outcome
    }

    private let bytes: [UInt8]
    private var offset = 0
    private var extensionBytes = 0

    static func decode(_ bytes: [UInt8]) -> Outcome {
        var decoder = PlainChunkDecoder(bytes: bytes)
        do { return try decoder.decode() } catch let stop as Stop { return stop.outcome } catch { return .malformed }
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private mutating func decode() throws -> Outcome {
        var data: [UInt8] = []
        while true {
            let size = try self.size(dataCount: data.count)
            if size == 0 { break }
            for _ in 0..<size { data.append(try take()) }
            try take("\r")
            try take("\n")
        }
        var trailerBytes = 0
        while true {
            let line = try line(limit: ParsedStream.limits.maximumHeadBytes - trailerBytes)
            if line.isEmpty { return .data(data, end: offset) }
            trailerBytes += line.count + 2
            let name = line.prefix { $0 != UInt8(ascii: ":") }
            guard name.count < line.count, !name.isEmpty, name.allSatisfy(Self.isToken) else {
                throw Stop(outcome: .malformed)
            }
        }
    }

    private mutating func size(dataCount: Int) throws -> Int {
        var digits = ""
        while true {
            let byte = try take()
            let character = Character(UnicodeScalar(byte))
            if character.isASCII, character.isHexDigit {
                digits.append(character)
                if digits.count > 15 { throw Stop(outcome: .malformed) }
                continue
            }
            guard let size = Int(digits, radix: 16) else { throw Stop(outcome: .malformed) }
            if size > ParsedStream.limits.maximumBodyBytes - dataCount { throw Stop(outcome: .limited) }
            if byte == UInt8(ascii: "\r") {
                try take("\n")
                return size
            }
            if byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") {
                while case let blank = try takeExtensionByte(), blank != UInt8(ascii: ";") {
                    guard blank == UInt8(ascii: " ") || blank == UInt8(ascii: "\t") else {
                        throw Stop(outcome: .malformed)
                    }
                }
            } else if byte != UInt8(ascii: ";") {
                throw Stop(outcome: .malformed)
            }
            while case let byte = try takeExtensionByte(), byte != UInt8(ascii: "\r") {
                guard byte == 0x09 || (byte >= 0x20 && byte != 0x7F) else { throw Stop(outcome: .malformed) }
            }
            try take("\n")
            return size
        }
    }

    private mutating func line(limit: Int) throws -> [UInt8] {
        var line: [UInt8] = []
        while true {
            let byte = try take()
            if byte == UInt8(ascii: "\r") {
                try take("\n")
                return line
            }
            guard byte == 0x09 || (byte >= 0x20 && byte != 0x7F) else { throw Stop(outcome: .malformed) }
            line.append(byte)
            if line.count + 2 > limit { throw Stop(outcome: .limited) }
        }
    }

    private mutating func takeExtensionByte() throws -> UInt8 {
        let byte = try take()
        extensionBytes += 1
        if extensionBytes > ParsedStream.limits.maximumHeadBytes { throw Stop(outcome: .limited) }
        return byte
    }

    private mutating func take() throws -> UInt8 {
        guard offset < bytes.count else { throw Stop(outcome: .incomplete) }
        offset += 1
        return bytes[offset - 1]
    }

    private mutating func take(_ character: Character) throws {
        guard try take() == character.asciiValue else { throw Stop(outcome: .malformed) }
    }

    private static func isToken(_ byte: UInt8) -> Bool {
        let character = Character(UnicodeScalar(byte))
        return byte < 0x80 && (character.isLetter || character.isNumber || "!#$%&'*+-.^_`|~".contains(character))
    }
}
