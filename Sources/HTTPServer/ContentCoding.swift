import HTTP
import HTTPTypes

/// The codings in which bodies come and go.
///
/// Source: RFC 9110 §8.4.1; `deflate` is the zlib format (RFC 1950), never raw.
public enum ContentCoding: String, Sendable, CaseIterable {
    case gzip
    case deflate

    /// The value of `Accept-Encoding` that tells clients.
    public static let accepted = allCases.map(\.rawValue).joined(separator: ", ")

    /// Why a body cannot be decoded.
    public enum Fault: Error, Equatable, Sendable {
        /// Neither one of the codings nor `identity`; or several of them, one upon the other.
        case unknown(String)
        case damaged(ContentCoding)
        case truncated(ContentCoding)
        /// Bytes follow the end of what is encoded.
        case trailingBytes(ContentCoding, count: Int)
        case tooLong(maximum: Int)
        /// There is no room for what has been decoded.
        case noMemory
    }

    /// What `Content-Encoding` says; nil where the body comes as it is.
    /// - Throws: `unknown`.
    public static func ofBody(_ fields: HTTPFields) throws(Fault) -> ContentCoding? {
        guard let value = fields[.contentEncoding] else { return nil }
        var coding: ContentCoding?
        for name in value.lowercased().listElements where name != "identity" {
            guard coding == nil, let known = named(name) else { throw .unknown(value) }
            coding = known
        }
        return coding
    }

    /// The coding of an answer that `Accept-Encoding` asks for, gzip among equals; nil where none is asked for.
    ///
    /// Source: RFC 9110 §12.5.3. Without the field everything is accepted; nothing is encoded then, since nobody asked.
    public static func preferred(by fields: HTTPFields) -> ContentCoding? {
        guard let value = fields[.acceptEncoding] else { return nil }
        var weights: [ContentCoding: Double] = [:]
        var others = 0.0
        for element in value.listElements.prefix(32) {
            // What is no `name;q=…` asks for nothing.
            guard let asked = ParameterizedValue(element) else { continue }
            let weight = asked.parameter("q").map { Double($0) ?? 0 } ?? 1
            if asked.value == "*" {
                others = weight
            } else if let coding = named(asked.value) {
                weights[coding] = weight
            }
        }
        let best = allCases.map { (coding: $0, weight: weights[$0] ?? others) }.max { $0.weight < $1.weight }
        guard let best, best.weight > 0 else { return nil }
        // Among equals `max` may give either.
        return (weights[.gzip] ?? others) == best.weight ? .gzip : best.coding
    }

    private static func named(_ name: String) -> ContentCoding? {
        // Source: RFC 9110 §8.4.1.3.
        name == "x-gzip" ? .gzip : ContentCoding(rawValue: name)
    }
}

extension ContentCoding.Fault: CustomStringConvertible {
    /// A sentence for whoever sent the request.
    public var description: String {
        switch self {
        case .unknown(let value): "the content coding '\(value)' is not read, only one of \(ContentCoding.accepted)"
        case .damaged(let coding): "the body is no \(coding.format)"
        case .truncated(let coding): "the body ends before its \(coding.format) does"
        case .trailingBytes(let coding, let count):
            "\(count) bytes follow the end of the body's \(coding.format)"
        case .tooLong(let maximum): "the decoded body is longer than \(maximum) bytes"
        case .noMemory: "the requests being answered leave no room for the decoded body"
        }
    }
}

extension ContentCoding {
    fileprivate var format: String {
        switch self {
        case .gzip: "gzip data"
        case .deflate: "zlib data (raw deflate is not read)"
        }
    }
}
