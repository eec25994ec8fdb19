/// A lossless WebP of black pixels with a group of prefix codes of its own for each 4×4 of them, up to 65,536.
///
/// Source: RFC 9649, section 3.
func manyPrefixCodes(side: Int) -> [UInt8] {
    var stream = BitWriter()
    stream.write(0x2F, 8)
    stream.write(side - 1, 14)
    stream.write(side - 1, 14)
    stream.write(1, 1)  // alpha
    stream.write(0, 3)  // version
    stream.write(0, 1)  // no transform
    stream.write(0, 1)  // no colour cache
    stream.write(1, 1)  // groups of prefix codes, by
    stream.write(0, 3)  // tiles of 4×4 pixels
    // The picture of tiles: red and green, of 8 bits each, are the number of the group.
    stream.write(0, 1)
    stream.writeCodeOfBytes(alphabet: 256 + 24)
    stream.writeCodeOfBytes(alphabet: 256)
    for _ in 0..<3 { stream.writeCodeOfZero() }
    let tileCount = (side / 4) * (side / 4)
    for tile in 0..<tileCount {
        stream.writeCode(tile & 0xFF)
        stream.writeCode(tile >> 8 & 0xFF)
    }
    // Codes of one symbol each: the pixels themselves take no bits.
    for _ in 0..<5 * min(tileCount, 65_536) { stream.writeCodeOfZero() }
    var content = stream.finished()
    if content.count % 2 == 1 { content.append(0) }
    func length(_ count: Int) -> [UInt8] { [0, 8, 16, 24].map { UInt8(truncatingIfNeeded: count >> $0) } }
    return Array("RIFF".utf8) + length(content.count + 12) + Array("WEBPVP8L".utf8) + length(content.count) + content
}

/// Writes bits, the lowest of each byte first.
private struct BitWriter {
    private var bytes: [UInt8] = []
    private var pending = 0
    private var pendingCount = 0

    mutating func write(_ value: Int, _ count: Int) {
        pending |= value << pendingCount
        pendingCount += count
        while pendingCount >= 8 {
            bytes.append(UInt8(truncatingIfNeeded: pending))
            pending >>= 8
            pendingCount -= 8
        }
    }

    /// A code of one symbol, 0, which takes no bits.
    mutating func writeCodeOfZero() { write(0b0001, 4) }

    /// A code in which each of the first 256 symbols takes 8 bits.
    mutating func writeCodeOfBytes(alphabet: Int) {
        write(0, 1)
        // Of the code of lengths those of 0 (the third) and 8 (the twelfth).
        write(12 - 4, 4)
        for place in 0..<12 { write(place == 2 || place == 11 ? 1 : 0, 3) }
        write(0, 1)
        for symbol in 0..<alphabet { write(symbol < 256 ? 1 : 0, 1) }
    }

    /// The code of a byte: from its highest bit on.
    mutating func writeCode(_ byte: Int) {
        for bit in (0..<8).reversed() { write(byte >> bit & 1, 1) }
    }

    func finished() -> [UInt8] { pendingCount == 0 ? bytes : bytes + [UInt8(pending)] }
}
