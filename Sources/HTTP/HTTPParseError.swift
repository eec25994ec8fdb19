import HTTPTypes

/// Why a request cannot be read. After one of these nothing more can be read from the connection.
public enum HTTPParseError: Error, Equatable, Sendable {
    /// LF without CR before it. Source: RFC 9112 §2.2.
    case bareLineFeed
    /// CR without LF after it. Source: RFC 9112 §2.2.
    case bareCarriageReturn
    case controlByte(UInt8)
    /// Not `method SP target SP version`. Source: RFC 9112 §3.
    case malformedRequestLine(String)
    case malformedTarget(String)
    case targetTooLong(maximum: Int)
    case malformedVersion(String)
    case unsupportedVersion(String)
    /// A field line that begins with a blank. Source: RFC 9112 §5.2.
    case foldedField
    case spaceBeforeColon(name: String)
    case malformedFieldName(String)
    case missingColon(String)
    case headTooLarge(maximum: Int)
    case tooManyFields(maximum: Int)
    case missingHost
    case repeatedHost
    case malformedHost(String)
    case malformedContentLength(String)
    case differingContentLengths(String, String)
    /// Both `Content-Length` and `Transfer-Encoding`. Source: RFC 9112 §6.1.
    case lengthAndTransferEncoding
    /// `Transfer-Encoding` in HTTP/1.0. Source: RFC 9112 §6.1.
    case transferEncodingInHTTP10
    case malformedTransferEncoding(String)
    case unknownTransferCoding(String)
    case unknownExpectation(String)
    case bodyTooLarge(maximum: Int)
    case malformedChunkSize(found: UInt8)
    case chunkSizeOverflow
    case chunkExtensionsTooLarge(maximum: Int)
    /// Not CRLF after a chunk's data.
    case malformedChunkEnd(found: UInt8)

    /// The status that answers it.
    public var status: HTTPResponse.Status {
        switch self {
        case .targetTooLong: .uriTooLong
        case .unsupportedVersion: .httpVersionNotSupported
        case .headTooLarge, .tooManyFields: .requestHeaderFieldsTooLarge
        case .unknownTransferCoding: .notImplemented
        case .unknownExpectation: .expectationFailed
        case .bodyTooLarge: .contentTooLarge
        case .bareLineFeed, .bareCarriageReturn, .controlByte, .malformedRequestLine, .malformedTarget,
            .malformedVersion, .foldedField, .spaceBeforeColon, .malformedFieldName, .missingColon, .missingHost,
            .repeatedHost, .malformedHost, .malformedContentLength, .differingContentLengths,
            .lengthAndTransferEncoding, .transferEncodingInHTTP10, .malformedTransferEncoding, .malformedChunkSize,
            .chunkSizeOverflow, .chunkExtensionsTooLarge, .malformedChunkEnd:
            .badRequest
        }
    }
}

extension HTTPParseError: CustomStringConvertible {
    /// A sentence for whoever sent the request.
    public var description: String {
        switch self {
        case .bareLineFeed: "A line ends in LF without CR."
        case .bareCarriageReturn: "A CR is not followed by LF."
        case .controlByte(let byte): "Control byte \(byte) in the header section."
        case .malformedRequestLine(let line): "The request line \"\(line)\" is not method, target and version."
        case .malformedTarget(let target): "The request target \"\(target)\" is malformed."
        case .targetTooLong(let maximum): "The request target is longer than \(maximum) bytes."
        case .malformedVersion(let version): "\"\(version)\" is no HTTP version."
        case .unsupportedVersion(let version): "\(version) is not served, only HTTP/1.1 and HTTP/1.0."
        case .foldedField: "A header field is folded over several lines."
        case .spaceBeforeColon(let name): "White space between the field name \"\(name)\" and its colon."
        case .malformedFieldName(let name): "\"\(name)\" is no field name."
        case .missingColon(let line): "The header line \"\(line)\" has no colon."
        case .headTooLarge(let maximum): "The header section is larger than \(maximum) bytes."
        case .tooManyFields(let maximum): "More than \(maximum) header fields."
        case .missingHost: "An HTTP/1.1 request needs a Host field."
        case .repeatedHost: "More than one Host field."
        case .malformedHost(let host): "\"\(host)\" is no host."
        case .malformedContentLength(let value): "\"\(value)\" is no Content-Length."
        case .differingContentLengths(let first, let second): "Content-Length is both \(first) and \(second)."
        case .lengthAndTransferEncoding: "Both Content-Length and Transfer-Encoding."
        case .transferEncodingInHTTP10: "Transfer-Encoding in an HTTP/1.0 request."
        case .malformedTransferEncoding(let value): "\"\(value)\" is no Transfer-Encoding."
        case .unknownTransferCoding(let value): "The transfer coding \"\(value)\" is not implemented."
        case .unknownExpectation(let value): "The expectation \"\(value)\" cannot be met."
        case .bodyTooLarge(let maximum): "The body is longer than \(maximum) bytes."
        case .malformedChunkSize(let byte): "Byte \(byte) in the size of a chunk."
        case .chunkSizeOverflow: "The size of a chunk is out of range."
        case .chunkExtensionsTooLarge(let maximum): "The chunk extensions are larger than \(maximum) bytes."
        case .malformedChunkEnd(let byte): "Byte \(byte) where a chunk's data must end in CRLF."
        }
    }
}
