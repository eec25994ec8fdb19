import HTTPTypes

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Why a multipart body cannot be read.
public enum MultipartError: Error, Equatable, Sendable {
    /// Not 1 to 70 characters of those allowed, or ending in a space. Source: RFC 2046 §5.1.1.
    case malformedBoundary(String)
    /// The first boundary is nowhere in the body.
    case missingBoundary
    /// The body ends before its closing boundary.
    case missingClosingBoundary(partsRead: Int)
    case tooManyParts(maximum: Int)
    case headerTooLarge(part: Int, maximum: Int)
    case malformedHeader(part: Int, line: String)
}

extension MultipartError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .malformedBoundary(let boundary): "'\(boundary)' is no boundary"
        case .missingBoundary: "the boundary is nowhere in it"
        case .missingClosingBoundary(let count): "it ends before its closing boundary, after \(count) parts"
        case .tooManyParts(let maximum): "more than \(maximum) parts"
        case .headerTooLarge(let part, let maximum): "the header of part \(part) has more than \(maximum) bytes"
        case .malformedHeader(let part, let line): "the header of part \(part) has a malformed line: '\(line)'"
        }
    }
}

/// One part of a multipart body.
public struct MultipartPart: Sendable, Equatable {
    public var fields: HTTPFields
    /// Where the part's content lies in the body that was parsed.
    public var content: Range<Int>

    /// The form field's name. Source: RFC 7578 §4.2.
    public var name: String? { disposition?.parameter("name") }
    public var filename: String? { disposition?.parameter("filename") }

    private var disposition: ParameterizedValue? {
        fields[.contentDisposition].flatMap { ParameterizedValue($0) }
    }
}

/// Finds the parts of a complete multipart body without copying their contents.
///
/// Source: RFC 7578, RFC 2046 §5.1.
public struct MultipartParser: Sendable {
    public var maximumPartCount = 64
    /// Bytes of one part's header section.
    public var maximumHeaderBytes = 16 << 10
    /// CRLF, two dashes and the boundary.
    private let delimiter: [UInt8]

    /// - Throws: `MultipartError.malformedBoundary`.
    public init(boundary: String) throws(MultipartError) {
        let bytes = Array(boundary.utf8)
        guard (1...70).contains(bytes.count), bytes.last != ASCII.space, bytes.allSatisfy(Self.isBoundary) else {
            throw .malformedBoundary(boundary)
        }
        delimiter = [ASCII.carriageReturn, ASCII.lineFeed, ASCII.dash, ASCII.dash] + bytes
    }

    /// Source: RFC 2046 §5.1.1 (bchars).
    private static func isBoundary(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x20, 0x27...0x29, 0x2B...0x3A, 0x3D, 0x3F, 0x41...0x5A, 0x5F, 0x61...0x7A: true
        default: false
        }
    }

    /// The parts in the order sent; what stands before the first boundary and after the last is dropped.
    ///
    /// - Throws: every case of `MultipartError` but `malformedBoundary`.
    /// - Complexity: O(bytes).
    public func parse(_ body: [UInt8]) throws(MultipartError) -> [MultipartPart] {
        try body.withUnsafeBufferPointer { (bytes) throws(MultipartError) in try parse(bytes) }
    }

    private func parse(_ bytes: UnsafeBytes) throws(MultipartError) -> [MultipartPart] {
        guard var boundary = nextBoundary(bytes, from: 0) else { throw .missingBoundary }
        var parts: [MultipartPart] = []
        while !boundary.isClosing {
            guard parts.count < maximumPartCount else { throw .tooManyParts(maximum: maximumPartCount) }
            var start = boundary.end
            let fields = try readHeader(bytes, &start, part: parts.count)
            // The CRLF that ends the header section may be the one that begins the next boundary.
            guard let next = nextBoundary(bytes, from: start - 2) else {
                throw .missingClosingBoundary(partsRead: parts.count)
            }
            parts.append(MultipartPart(fields: fields, content: start..<max(start, next.start)))
            boundary = next
        }
        return parts
    }

    private struct Boundary {
        var start: Int
        var end: Int
        var isClosing: Bool
    }

    /// The next line that is a boundary: `start` is where the content before it ends, `end` where its own line does.
    private func nextBoundary(_ bytes: UnsafeBytes, from origin: Int) -> Boundary? {
        var start = origin
        // At the very beginning of the body the boundary needs no CRLF before it.
        if origin == 0, let end = boundaryEnd(bytes, afterDelimiterAt: -2) { return end }
        while start + delimiter.count <= bytes.count {
            guard let base = bytes.baseAddress,
                let found = memchr(base + start, Int32(ASCII.carriageReturn), bytes.count - start)
            else { return nil }
            let candidate = UnsafeRawPointer(found) - UnsafeRawPointer(base)
            if let boundary = boundaryEnd(bytes, afterDelimiterAt: candidate) { return boundary }
            start = candidate + 1
        }
        return nil
    }

    /// Where the delimiter's line ends if the delimiter stands at `start`, of which up to two bytes may lie before the
    /// body's beginning.
    private func boundaryEnd(_ bytes: UnsafeBytes, afterDelimiterAt start: Int) -> Boundary? {
        let skipped = max(0, -start)
        var index = start + delimiter.count
        guard index <= bytes.count, bytes[(start + skipped)..<index].elementsEqual(delimiter[skipped...]) else {
            return nil
        }
        if index + 1 < bytes.count, bytes[index] == ASCII.dash, bytes[index + 1] == ASCII.dash {
            return Boundary(start: max(0, start), end: index + 2, isClosing: true)
        }
        while index < bytes.count, ASCII.isBlank(bytes[index]) { index += 1 }
        guard index + 1 < bytes.count, bytes[index] == ASCII.carriageReturn, bytes[index + 1] == ASCII.lineFeed else {
            return nil
        }
        return Boundary(start: max(0, start), end: index + 2, isClosing: false)
    }

    private func readHeader(_ bytes: UnsafeBytes, _ index: inout Int, part: Int) throws(MultipartError) -> HTTPFields {
        var fields = HTTPFields()
        let start = index
        while true {
            let lineStart = index
            while index < bytes.count, ASCII.isText(bytes[index]), index - start <= maximumHeaderBytes { index += 1 }
            let line = bytes.part(lineStart..<index)
            guard index - start <= maximumHeaderBytes else {
                throw .headerTooLarge(part: part, maximum: maximumHeaderBytes)
            }
            guard index + 1 < bytes.count else { throw .missingClosingBoundary(partsRead: part) }
            guard bytes[index] == ASCII.carriageReturn, bytes[index + 1] == ASCII.lineFeed else {
                throw .malformedHeader(part: part, line: line.excerpt)
            }
            index += 2
            if line.isEmpty { return fields }
            guard let colon = line.firstIndex(of: ASCII.colon),
                let name = HTTPField.Name(String(decoding: line[..<colon], as: UTF8.self))
            else { throw .malformedHeader(part: part, line: line.excerpt) }
            let value = line.part(colon + 1..<line.count).trimmed
            fields.append(HTTPField(name: name, value: String(decoding: value, as: UTF8.self)))
        }
    }
}
