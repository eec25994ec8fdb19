/// The formats that can be read.
public enum ImageFormat: String, Equatable, Sendable, CaseIterable {
    case jpeg = "JPEG"
}

extension ImageFormat {
    /// Recognises a format by its first bytes; declared media types are not asked.
    ///
    /// - Throws: `unknownFormat`, which names the format where it is a common one.
    init(recognising bytes: UnsafeBufferPointer<UInt8>) throws(ImageError) {
        guard bytes.starts(with: [0xFF, 0xD8]) else { throw .unknownFormat(found: Self.nameOfForeign(bytes)) }
        self = .jpeg
    }

    private static let foreignSignatures: [(name: String, offset: Int, signature: [UInt8])] = [
        ("PNG", 0, [0x89, 0x50, 0x4E, 0x47]),
        ("GIF", 0, Array("GIF8".utf8)),
        ("WebP", 8, Array("WEBP".utf8)),
        ("BMP", 0, Array("BM".utf8)),
        ("TIFF", 0, [0x49, 0x49, 0x2A, 0x00]),
        ("TIFF", 0, [0x4D, 0x4D, 0x00, 0x2A]),
        ("AVIF", 4, Array("ftypavif".utf8)),
        ("HEIF", 4, Array("ftyphei".utf8)),
        ("HEIF", 4, Array("ftypmif1".utf8)),
        ("JPEG 2000", 0, [0x00, 0x00, 0x00, 0x0C, 0x6A, 0x50]),
        ("JPEG XL", 0, [0xFF, 0x0A]),
        ("JPEG XL", 0, [0x00, 0x00, 0x00, 0x0C, 0x4A, 0x58]),
        ("PDF", 0, Array("%PDF".utf8)),
        ("ICO", 0, [0x00, 0x00, 0x01, 0x00]),
        ("gzip", 0, [0x1F, 0x8B]),
        ("XML or HTML", 0, Array("<".utf8)),
        ("JSON", 0, Array("{".utf8)),
    ]

    private static func nameOfForeign(_ bytes: UnsafeBufferPointer<UInt8>) -> String {
        if bytes.isEmpty { return "no bytes" }
        let match = foreignSignatures.first { bytes.dropFirst($0.offset).starts(with: $0.signature) }
        return match?.name ?? "unrecognised data"
    }
}

/// What a picture's header tells, before anything is decoded.
public struct ImageHeader: Equatable, Sendable {
    public var format: ImageFormat
    /// Units: pixels, after EXIF orientation.
    public var width: Int
    /// Units: pixels, after EXIF orientation.
    public var height: Int
}
