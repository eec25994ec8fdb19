import CZlib
import HTTPTypes

extension ContentCoding {
    /// Shorter answers go as they are: they fit into a packet either way. Units: bytes.
    public static let leastBytes = 1400

    /// - Returns: nil where zlib gets no memory, or the encoded body is no shorter.
    public func encode(_ body: [UInt8]) -> [UInt8]? {
        // What `avail_in` can count.
        guard body.count < 1 << 30 else { return nil }
        var stream = z_stream()
        // The fastest level: an answer's floats hardly shrink more at the others.
        let status = deflateInit2_(
            &stream, Z_BEST_SPEED, Z_DEFLATED, windowBits, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size))
        guard status == Z_OK else { return nil }
        defer { deflateEnd(&stream) }
        return body.withUnsafeBufferPointer { input -> [UInt8]? in
            let encoded = [UInt8](unsafeUninitializedCapacity: body.count) { output, count in
                stream.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
                stream.avail_in = UInt32(input.count)
                stream.next_out = output.baseAddress
                stream.avail_out = UInt32(body.count)
                count = CZlib.deflate(&stream, Z_FINISH) == Z_STREAM_END ? body.count - Int(stream.avail_out) : 0
            }
            return encoded.isEmpty ? nil : encoded
        }
    }
}

extension Response {
    /// Encodes the body as the request's `Accept-Encoding` asks, where it is long enough and an answer of its own kind
    /// has not been encoded yet. Not for event loops: it takes a millisecond for some hundred kilobytes.
    public mutating func encodeBody(_ coding: ContentCoding?) {
        guard body.count >= ContentCoding.leastBytes, fields[.contentEncoding] == nil else { return }
        fields[.vary] = "Accept-Encoding"
        guard let coding, let encoded = coding.encode(body) else { return }
        body = encoded
        fields[.contentEncoding] = coding.rawValue
    }
}
