import HTTPTypes

/// What the fields that decide about framing and the connection have said so far.
struct FramingFields: Sendable {
    var contentLength: Int?
    var hasTransferEncoding = false
    var chunkedCount = 0
    var unknownCoding: String?
    var hasHost = false
    var asksClose = false
    var asksKeepAlive = false
    var unknownExpectation: String?
    var expectsContinue = false
}

extension RequestParser {
    /// Reads one line of the section at hand.
    ///
    /// - Returns: whether it is the empty line that ends the section.
    mutating func readLine(_ line: UnsafeBytes) throws(HTTPParseError) -> Bool {
        switch phase {
        case .requestLine:
            if line.isEmpty { return false }
            try readRequestLine(line)
            phase = .fields
            return false
        default:
            if line.isEmpty { return true }
            sectionBytes += line.count + 2
            try readField(line)
            return false
        }
    }

    /// Source: RFC 9112 §3.
    private mutating func readRequestLine(_ line: UnsafeBytes) throws(HTTPParseError) {
        var methodEnd = 0
        while methodEnd < line.count, ASCII.isToken(line[methodEnd]) { methodEnd += 1 }
        guard methodEnd > 0, methodEnd < line.count, line[methodEnd] == ASCII.space else {
            throw .malformedRequestLine(line.excerpt)
        }
        var targetEnd = methodEnd + 1
        while targetEnd < line.count, ASCII.isVisible(line[targetEnd]) { targetEnd += 1 }
        guard targetEnd > methodEnd + 1, targetEnd < line.count else { throw .malformedRequestLine(line.excerpt) }
        let target = line.part(methodEnd + 1..<targetEnd)
        guard line[targetEnd] == ASCII.space else {
            throw .malformedTarget(line.part(methodEnd + 1..<line.count).excerpt)
        }
        guard target.count <= configuration.maximumTargetBytes else {
            throw .targetTooLong(maximum: configuration.maximumTargetBytes)
        }
        head.version = try version(line.part(targetEnd + 1..<line.count))
        head.method = method(line.part(0..<methodEnd))
        try readTarget(target)
    }

    private func method(_ bytes: UnsafeBytes) -> HTTPRequest.Method {
        switch bytes.count {
        case 3 where bytes.elementsEqual("GET".utf8): .get
        case 4 where bytes.elementsEqual("POST".utf8): .post
        case 4 where bytes.elementsEqual("HEAD".utf8): .head
        // The bytes are a token already, so this cannot be nil.
        default: HTTPRequest.Method(String(decoding: bytes, as: UTF8.self)) ?? .get
        }
    }

    /// Source: RFC 9112 §2.3, RFC 9110 §2.5.
    private func version(_ bytes: UnsafeBytes) throws(HTTPParseError) -> HTTPVersion {
        guard bytes.count == 8, bytes.starts(with: "HTTP/".utf8), ASCII.isDigit(bytes[5]), bytes[6] == 0x2E,
            ASCII.isDigit(bytes[7])
        else { throw .malformedVersion(bytes.excerpt) }
        guard bytes[5] == 0x31 else { throw .unsupportedVersion(bytes.excerpt) }
        return bytes[7] == 0x30 ? .http10 : .http11
    }

    /// Source: RFC 9112 §3.2.
    private mutating func readTarget(_ target: UnsafeBytes) throws(HTTPParseError) {
        if target.contains(ASCII.hash) { throw .malformedTarget(target.excerpt) }
        if target[0] == ASCII.slash || head.method == .connect {
            head.target = String(decoding: target, as: UTF8.self)
        } else if target.count == 1, target[0] == 0x2A, head.method == .options {
            head.target = "*"
        } else {
            let schemeBytes: Int
            if target.count > 7, target.part(0..<7).equalsIgnoringCase("http://") {
                schemeBytes = 7
            } else if target.count > 8, target.part(0..<8).equalsIgnoringCase("https://") {
                schemeBytes = 8
            } else {
                throw .malformedTarget(target.excerpt)
            }
            var end = schemeBytes
            while end < target.count, target[end] != ASCII.slash, target[end] != ASCII.question { end += 1 }
            let authority = target.part(schemeBytes..<end)
            guard !authority.isEmpty, authority.allSatisfy(ASCII.isHost) else { throw .malformedTarget(target.excerpt) }
            head.authority = String(decoding: authority, as: UTF8.self)
            let rest = String(decoding: target[end...], as: UTF8.self)
            head.target = rest.utf8.first == ASCII.slash ? rest : "/" + rest
        }
    }

    /// Source: RFC 9112 §5.
    private mutating func readField(_ line: UnsafeBytes) throws(HTTPParseError) {
        if ASCII.isBlank(line[0]) { throw .foldedField }
        var nameEnd = 0
        while nameEnd < line.count, ASCII.isToken(line[nameEnd]) { nameEnd += 1 }
        guard nameEnd < line.count, line[nameEnd] == ASCII.colon, nameEnd > 0 else {
            guard let colon = line.firstIndex(of: ASCII.colon) else { throw .missingColon(line.excerpt) }
            if nameEnd > 0, line[nameEnd..<colon].allSatisfy(ASCII.isBlank) {
                throw .spaceBeforeColon(name: line.part(0..<nameEnd).excerpt)
            }
            throw .malformedFieldName(line.part(0..<colon).excerpt)
        }
        // Trailers are checked and dropped (RFC 9112 §7.1.2).
        if phase == .trailers { return }
        let name = line.part(0..<nameEnd)
        let value = line.part(nameEnd + 1..<line.count).trimmed
        if name.equalsIgnoringCase("host") { return try readHost(value) }
        try readFramingField(name, value)
        guard head.fields.count < configuration.maximumFieldCount else {
            throw .tooManyFields(maximum: configuration.maximumFieldCount)
        }
        guard let fieldName = HTTPField.Name(String(decoding: name, as: UTF8.self)) else {
            throw .malformedFieldName(name.excerpt)
        }
        head.fields.append(HTTPField(name: fieldName, value: String(decoding: value, as: UTF8.self)))
    }

    /// Source: RFC 9112 §3.2.
    private mutating func readHost(_ value: UnsafeBytes) throws(HTTPParseError) {
        guard !framing.hasHost else { throw .repeatedHost }
        guard value.allSatisfy(ASCII.isHost) else { throw .malformedHost(value.excerpt) }
        framing.hasHost = true
        if head.authority == nil { head.authority = String(decoding: value, as: UTF8.self) }
    }

    private mutating func readFramingField(_ name: UnsafeBytes, _ value: UnsafeBytes) throws(HTTPParseError) {
        switch name.count {
        case 6 where name.equalsIgnoringCase("expect"):
            if value.equalsIgnoringCase("100-continue") {
                framing.expectsContinue = true
            } else {
                framing.unknownExpectation = value.excerpt
            }
        case 10 where name.equalsIgnoringCase("connection"):
            value.forEachListElement { element in
                if element.equalsIgnoringCase("close") { framing.asksClose = true }
                if element.equalsIgnoringCase("keep-alive") { framing.asksKeepAlive = true }
            }
        case 14 where name.equalsIgnoringCase("content-length"):
            try readContentLength(value)
        case 17 where name.equalsIgnoringCase("transfer-encoding"):
            framing.hasTransferEncoding = true
            try value.forEachListElement { (coding) throws(HTTPParseError) in
                guard !coding.isEmpty else { throw .malformedTransferEncoding(value.excerpt) }
                if coding.equalsIgnoringCase("chunked") {
                    framing.chunkedCount += 1
                } else {
                    framing.unknownCoding = coding.excerpt
                }
            }
        default: break
        }
    }

    /// Digits only. One that is out of range is held at the far end, and refused for its size.
    ///
    /// Source: RFC 9110 §8.6.
    private mutating func readContentLength(_ value: UnsafeBytes) throws(HTTPParseError) {
        guard !value.isEmpty, value.allSatisfy(ASCII.isDigit) else { throw .malformedContentLength(value.excerpt) }
        var length = 0
        for byte in value {
            let (product, overflow) = length.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(Int(byte - 0x30))
            length = overflow || carry ? .max : sum
            if length == .max { break }
        }
        if let earlier = framing.contentLength, earlier != length {
            throw .differingContentLengths(String(earlier), value.excerpt)
        }
        framing.contentLength = length
    }

    /// Weighs the whole head, and finds how the body is framed.
    ///
    /// Source: RFC 9112 §3.2 (Host), §6.3 (length), §9.3 (persistence); RFC 9110 §10.1.1 (Expect).
    mutating func finishHead() throws(HTTPParseError) -> Progress {
        let isHTTP10 = head.version == .http10
        guard framing.hasHost || isHTTP10 else { throw .missingHost }
        if framing.hasTransferEncoding {
            if isHTTP10 { throw .transferEncodingInHTTP10 }
            if framing.contentLength != nil { throw .lengthAndTransferEncoding }
            if let coding = framing.unknownCoding { throw .unknownTransferCoding(coding) }
            guard framing.chunkedCount == 1 else { throw .malformedTransferEncoding("chunked, chunked") }
            head.framing = .chunked
        } else if let length = framing.contentLength {
            guard length <= configuration.maximumBodyBytes else {
                throw .bodyTooLarge(maximum: configuration.maximumBodyBytes)
            }
            head.framing = length == 0 ? .none : .length(length)
        }
        if let expectation = framing.unknownExpectation { throw .unknownExpectation(expectation) }
        head.expectsContinue = framing.expectsContinue && !isHTTP10 && head.framing != .none
        head.keepsAlive = !framing.asksClose && (!isHTTP10 || framing.asksKeepAlive)
        sectionBytes = 0
        switch head.framing {
        case .none: return finish()
        case .length(let length): phase = .body(remaining: length)
        case .chunked: phase = .chunkSize(value: 0, digits: 0)
        }
        return .head
    }
}
