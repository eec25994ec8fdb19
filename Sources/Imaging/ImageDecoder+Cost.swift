extension ImageDecoder {
    /// About how long `bytes` take to decode: as long as a baseline JPEG of so many bytes.
    ///
    /// A baseline JPEG takes as long as its bytes are many. What takes long by its pixels, however few its bytes are (a
    /// PNG of a single colour, a progressive JPEG of empty scans), counts a byte a pixel, by its header.
    /// - Complexity: linear in the length of the header.
    public static func cost(of bytes: Span<UInt8>) -> Int {
        bytes.withUnsafeBufferPointer { bytes in
            let pixels =
                switch try? ImageFormat(recognising: bytes) {
                case .png: pixelsOfPNG(bytes)
                case .webp: pixelsOfWebP(bytes)
                case .jpeg: pixelsOfDividedJPEG(bytes)
                case nil: 0
                }
            return max(bytes.count, pixels)
        }
    }

    private static func pixelsOfPNG(_ bytes: UnsafeBufferPointer<UInt8>) -> Int {
        guard bytes.count >= 24 else { return 0 }
        return product(bytes.bigEndian(at: 16, byteCount: 4), bytes.bigEndian(at: 20, byteCount: 4))
    }

    private static func pixelsOfWebP(_ bytes: UnsafeBufferPointer<UInt8>) -> Int {
        guard bytes.count >= 30 else { return 0 }
        switch bytes[15] {
        case UInt8(ascii: "X"):
            return product(
                bytes.littleEndian(at: 24, byteCount: 3) + 1, bytes.littleEndian(at: 27, byteCount: 3) + 1)
        case UInt8(ascii: "L"):
            let sizes = bytes.littleEndian(at: 21, byteCount: 4)
            return product(sizes & 0x3FFF + 1, sizes >> 14 & 0x3FFF + 1)
        default:
            return product(
                bytes.littleEndian(at: 26, byteCount: 2) & 0x3FFF, bytes.littleEndian(at: 28, byteCount: 2) & 0x3FFF)
        }
    }

    /// Of one in several scans or in arithmetic coding; 0 of others.
    private static func pixelsOfDividedJPEG(_ bytes: UnsafeBufferPointer<UInt8>) -> Int {
        var offset = 2
        while offset + 9 <= bytes.count, bytes[offset] == 0xFF {
            let marker = bytes[offset + 1]
            if marker == 0xFF {
                offset += 1
                continue
            }
            switch marker {
            case 0xC0, 0xC1, 0xDA: return 0
            case 0xC2...0xCF where ![0xC4, 0xC8, 0xCC].contains(marker):
                return product(
                    bytes.bigEndian(at: offset + 5, byteCount: 2), bytes.bigEndian(at: offset + 7, byteCount: 2))
            default: offset += 2 + bytes.bigEndian(at: offset + 2, byteCount: 2)
            }
        }
        return 0
    }

    private static func product(_ width: Int, _ height: Int) -> Int {
        let (product, overflow) = width.multipliedReportingOverflow(by: height)
        return overflow ? .max : product
    }
}

extension UnsafeBufferPointer<UInt8> {
    fileprivate func bigEndian(at offset: Int, byteCount: Int) -> Int {
        self[offset..<offset + byteCount].reduce(0) { $0 << 8 | Int($1) }
    }

    fileprivate func littleEndian(at offset: Int, byteCount: Int) -> Int {
        self[offset..<offset + byteCount].reversed().reduce(0) { $0 << 8 | Int($1) }
    }
}
