extension RequestParser {
    /// Source: RFC 9112 §6.2.
    mutating func readBody(_ input: UnsafeBytes, _ offset: inout Int, remaining: Int) -> Progress {
        let taken = min(remaining, input.count - offset)
        append(input.part(offset..<offset + taken), expecting: remaining)
        offset += taken
        guard taken == remaining else {
            phase = .body(remaining: remaining - taken)
            return .needsMore
        }
        return finish()
    }

    /// Appends to the body; its buffer grows at most to twice what has arrived or 128 KiB beyond it, so that a length
    /// that is only promised costs no memory, and not beyond what the longest body takes.
    ///
    /// - Parameter expecting: how much is sure to come, with `bytes`; of a chunked body more may.
    private mutating func append(_ bytes: UnsafeBytes, expecting: Int) {
        bodyBytesRead += bytes.count
        if isDiscarding { return }
        let needed = body.count + bytes.count
        if needed > body.capacity {
            let ahead = body.count + min(expecting, max(body.count, Self.reserveAheadBytes))
            // Twice as much, or many small chunks would each have the body copied.
            let wanted = max(needed, head.framing == .chunked ? max(ahead, 2 * body.count) : ahead)
            body.reserveCapacity(min(wanted, configuration.maximumBodyBytes))
        }
        body.append(contentsOf: bytes)
    }

    /// Reads chunks until the last one's size line.
    ///
    /// - Returns: whether the trailer section comes next.
    ///
    /// Source: RFC 9112 §7.1.
    mutating func readChunks(_ input: UnsafeBytes, _ offset: inout Int) throws(HTTPParseError) -> Bool {
        while phase != .trailers {
            guard offset < input.count else { return false }
            let byte = input[offset]
            if case .chunkData(let remaining) = phase {
                let taken = min(remaining, input.count - offset)
                append(input.part(offset..<offset + taken), expecting: remaining)
                offset += taken
                phase = taken == remaining ? .chunkDataReturn : .chunkData(remaining: remaining - taken)
                continue
            }
            offset += 1
            try readChunkFraming(byte)
        }
        return true
    }

    private mutating func readChunkFraming(_ byte: UInt8) throws(HTTPParseError) {
        switch phase {
        case .chunkSize(let value, let digits):
            if let digit = ASCII.hexadecimalValue(byte) {
                // 15 digits fit in an Int; more are either padding or out of range.
                guard digits < 15 else { throw .chunkSizeOverflow }
                phase = .chunkSize(value: value << 4 | Int(digit), digits: digits + 1)
                return
            }
            guard digits > 0 else { throw .malformedChunkSize(found: byte) }
            chunkBytes = value
            guard value <= configuration.maximumBodyBytes - body.count else {
                throw .bodyTooLarge(maximum: configuration.maximumBodyBytes)
            }
            switch byte {
            case ASCII.carriageReturn: phase = .chunkSizeLineFeed
            case ASCII.semicolon: phase = .chunkExtension
            case ASCII.space, ASCII.tab: phase = .chunkBlank
            case ASCII.lineFeed: throw .bareLineFeed
            default: throw .malformedChunkSize(found: byte)
            }
        case .chunkBlank:
            // Blanks may stand before an extension only (RFC 9112 §7.1.1).
            try countExtensionByte()
            guard byte == ASCII.semicolon || ASCII.isBlank(byte) else { throw .malformedChunkSize(found: byte) }
            if byte == ASCII.semicolon { phase = .chunkExtension }
        case .chunkExtension:
            try countExtensionByte()
            if byte == ASCII.carriageReturn {
                phase = .chunkSizeLineFeed
            } else if byte == ASCII.lineFeed {
                throw .bareLineFeed
            } else if !ASCII.isText(byte) {
                throw .controlByte(byte)
            }
        case .chunkSizeLineFeed:
            guard byte == ASCII.lineFeed else { throw .bareCarriageReturn }
            phase = chunkBytes == 0 ? .trailers : .chunkData(remaining: chunkBytes)
        case .chunkDataReturn:
            guard byte == ASCII.carriageReturn else { throw .malformedChunkEnd(found: byte) }
            phase = .chunkDataLineFeed
        case .chunkDataLineFeed:
            guard byte == ASCII.lineFeed else { throw .malformedChunkEnd(found: byte) }
            phase = .chunkSize(value: 0, digits: 0)
        case .requestLine, .fields, .body, .chunkData, .trailers, .invalid:
            preconditionFailure("not in a chunk's framing: \(phase)")
        }
    }

    private mutating func countExtensionByte() throws(HTTPParseError) {
        extensionBytes += 1
        guard extensionBytes <= configuration.maximumHeadBytes else {
            throw .chunkExtensionsTooLarge(maximum: configuration.maximumHeadBytes)
        }
    }
}
