/// How the stored picture lies, as the EXIF tag 0x0112 tells; the raw value is the tag's.
enum Orientation: UInt8, CaseIterable {
    case upright = 1
    case mirrored, upsideDown, mirroredUpsideDown
    case transposed, turnedLeft, transverse, turnedRight

    /// Whether the stored columns are the rows of the oriented picture.
    var swapsAxes: Bool { rawValue >= 5 }

    /// Whether the oriented axis that the stored columns run along starts at the last of them.
    var mirrorsColumns: Bool { [.mirrored, .upsideDown, .transverse, .turnedRight].contains(self) }

    /// Whether the oriented axis that the stored rows run along starts at the last of them.
    var mirrorsRows: Bool { [.upsideDown, .mirroredUpsideDown, .turnedLeft, .transverse].contains(self) }

    /// The size as the oriented picture has it, of a stored size, and the other way round.
    func orient(width: Int, height: Int) -> (width: Int, height: Int) {
        swapsAxes ? (height, width) : (width, height)
    }
}

extension Orientation {
    /// Reads the tag from a TIFF stream, which some writers of PNG and WebP begin as in a JPEG, with `Exif` and two zeros;
    /// whatever is wrong with it means `upright`.
    ///
    /// Source: TIFF 6.0 §2, Exif 2.32 §4.6.4 tag 274.
    init(exif: UnsafeBufferPointer<UInt8>) {
        let prefix = Self.prefix
        let stream = exif.starts(with: prefix) ? UnsafeBufferPointer(rebasing: exif.dropFirst(prefix.count)) : exif
        self = Self.tag(in: stream).flatMap { $0 <= 8 ? Orientation(rawValue: UInt8($0)) : nil } ?? .upright
    }

    private static let prefix = Array("Exif\0\0".utf8)

    private static func tag(in exif: UnsafeBufferPointer<UInt8>) -> UInt32? {
        guard exif.count >= 8 else { return nil }
        let isLittleEndian: Bool
        switch (exif[0], exif[1]) {
        case (0x49, 0x49): isLittleEndian = true
        case (0x4D, 0x4D): isLittleEndian = false
        default: return nil
        }
        func number(at offset: Int, byteCount: Int) -> UInt32? {
            guard offset >= 0, offset <= exif.count - byteCount else { return nil }
            return (0..<byteCount).reduce(UInt32(0)) { value, index in
                value << 8 | UInt32(exif[offset + (isLittleEndian ? byteCount - 1 - index : index)])
            }
        }
        guard number(at: 2, byteCount: 2) == 42, let directory = number(at: 4, byteCount: 4),
            let entryCount = number(at: Int(directory), byteCount: 2)
        else { return nil }
        for index in 0..<Int(entryCount) {
            let entry = Int(directory) + 2 + 12 * index
            guard let tag = number(at: entry, byteCount: 2) else { return nil }
            guard tag == 0x0112 else { continue }
            switch number(at: entry + 2, byteCount: 2) {
            case 1: return number(at: entry + 8, byteCount: 1)
            case 3: return number(at: entry + 8, byteCount: 2)
            case 4: return number(at: entry + 8, byteCount: 4)
            default: return nil
            }
        }
        return nil
    }
}
