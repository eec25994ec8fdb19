import CZlib

extension ContentCoding {
    /// How much is decoded between two looks at the limits. Units: bytes.
    private static var stepBytes: Int { 64 << 10 }

    /// zlib's number for the format.
    var windowBits: Int32 {
        switch self {
        case .gzip: 15 + 16
        case .deflate: 15
        }
    }

    /// Decodes a whole body.
    ///
    /// - Parameters:
    ///   - maximum: units: bytes; decoding stops there.
    ///   - hold: asked before memory is taken. Units: bytes.
    /// - Throws: any `Fault` but `unknown`.
    /// - Complexity: O(the body + `maximum`).
    public func decode(
        _ body: [UInt8], maximum: Int, hold: (Int) -> Bool = { _ in true }
    ) throws(Fault) -> [UInt8] {
        var stream = z_stream()
        let status = inflateInit2_(&stream, windowBits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        // Nothing but memory can be wanting: the version is that of the header.
        guard status == Z_OK else { throw .noMemory }
        defer { inflateEnd(&stream) }
        var decoded: [UInt8] = []
        var consumed = 0
        while true {
            // One more than the maximum, to see what goes beyond.
            let room = min(Self.stepBytes - 1, maximum - decoded.count) + 1
            guard hold(room) else { throw .noMemory }
            let start = decoded.count
            decoded.append(contentsOf: repeatElement(0, count: room))
            let result = body.withUnsafeBufferPointer { input in
                decoded.withUnsafeMutableBufferPointer { output in
                    let piece = min(input.count - consumed, 1 << 30)
                    // zlib does not write to what it reads.
                    stream.next_in = UnsafeMutablePointer(mutating: input.baseAddress.map { $0 + consumed })
                    stream.avail_in = UInt32(piece)
                    stream.next_out = output.baseAddress.map { $0 + start }
                    stream.avail_out = UInt32(room)
                    let result = inflate(&stream, Z_NO_FLUSH)
                    consumed += piece - Int(stream.avail_in)
                    stream.next_in = nil
                    stream.next_out = nil
                    return result
                }
            }
            decoded.removeLast(Int(stream.avail_out))
            guard decoded.count <= maximum else { throw .tooLong(maximum: maximum) }
            switch result {
            case Z_STREAM_END:
                let rest = body.count - consumed
                guard rest == 0 else { throw .trailingBytes(self, count: rest) }
                return decoded
            case Z_OK where consumed < body.count || stream.avail_out == 0: continue
            case Z_OK, Z_BUF_ERROR: throw .truncated(self)
            case Z_MEM_ERROR: throw .noMemory
            default: throw .damaged(self)
            }
        }
    }
}
