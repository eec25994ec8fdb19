extension ImageFormat {
    private static let foreignSignatures: [(name: String, offset: Int, signature: [UInt8])] = [
        ("GIF", 0, Array("GIF8".utf8)),
        ("BMP", 0, Array("BM".utf8)),
        ("TIFF", 0, [0x49, 0x49, 0x2A, 0x00]),
        ("TIFF", 0, [0x4D, 0x4D, 0x00, 0x2A]),
        ("AVIF", 4, Array("ftypavi".utf8)),
        ("HEIC", 4, Array("ftyphei".utf8)),
        ("HEIC", 4, Array("ftyphev".utf8)),
        ("HEIF", 4, Array("ftypmif1".utf8)),
        ("HEIF", 4, Array("ftypmsf1".utf8)),
        ("MP4 or QuickTime", 4, Array("ftyp".utf8)),
        ("JPEG 2000", 0, [0x00, 0x00, 0x00, 0x0C, 0x6A, 0x50]),
        ("JPEG 2000", 0, [0xFF, 0x4F, 0xFF, 0x51]),
        ("JPEG XL", 0, [0xFF, 0x0A]),
        ("JPEG XL", 0, [0x00, 0x00, 0x00, 0x0C, 0x4A, 0x58]),
        ("Photoshop", 0, Array("8BPS".utf8)),
        ("AVI", 8, Array("AVI ".utf8)),
        ("WAV", 8, Array("WAVE".utf8)),
        ("PDF", 0, Array("%PDF".utf8)),
        ("PostScript", 0, Array("%!PS".utf8)),
        ("ICO", 0, [0x00, 0x00, 0x01, 0x00]),
        ("gzip", 0, [0x1F, 0x8B]),
        ("ZIP", 0, Array("PK\u{03}\u{04}".utf8)),
        ("JSON", 0, Array("{".utf8)),
    ]

    /// What bytes in no format that is read look like.
    static func nameOfForeign(_ bytes: UnsafeBufferPointer<UInt8>) -> String {
        if bytes.isEmpty { return "no bytes" }
        let match = foreignSignatures.first { bytes.dropFirst($0.offset).starts(with: $0.signature) }
        return match?.name ?? nameOfMarkup(bytes) ?? "unrecognised data"
    }

    /// SVG, HTML or XML, by the first tags, behind a byte order mark and blanks.
    private static func nameOfMarkup(_ bytes: UnsafeBufferPointer<UInt8>) -> String? {
        let start = bytes.drop { [0xEF, 0xBB, 0xBF, 0x20, 0x09, 0x0A, 0x0D].contains($0) }
        guard start.first == UInt8(ascii: "<") else { return nil }
        let text = String(decoding: start.prefix(1024), as: UTF8.self).lowercased()
        if text.hasPrefix("<!doctype html") || text.hasPrefix("<html") { return "HTML" }
        return text.contains("<svg") ? "SVG" : "XML"
    }
}
