/// The formats that can be read.
public enum ImageFormat: String, Equatable, Sendable, CaseIterable {
    case jpeg = "JPEG"
    case png = "PNG"
    case webp = "WebP"
}

extension ImageFormat {
    /// The formats that can be read, for a sentence.
    static let names = {
        let names = allCases.map(\.rawValue)
        return names.dropLast().joined(separator: ", ") + " or " + names.last!
    }()

    /// Recognises a format by its first bytes; declared media types are not asked.
    ///
    /// - Throws: `unknownFormat`, which names the format where it is a common one.
    init(recognising bytes: UnsafeBufferPointer<UInt8>) throws(ImageError) {
        if bytes.starts(with: Self.jpegSignature) {
            self = .jpeg
        } else if bytes.starts(with: Self.pngSignature) {
            self = .png
        } else if bytes.starts(with: Self.riffSignature), bytes.dropFirst(8).starts(with: Self.webpSignature) {
            self = .webp
        } else {
            throw .unknownFormat(found: Self.nameOfForeign(bytes))
        }
    }

    /// The format of a file, by its first bytes alone.
    ///
    /// - Throws: `unknownFormat`.
    @discardableResult
    public static func recognise(_ bytes: Span<UInt8>) throws(ImageError) -> ImageFormat {
        try bytes.withUnsafeBufferPointer { (bytes) throws(ImageError) in try ImageFormat(recognising: bytes) }
    }

    private static let jpegSignature: [UInt8] = [0xFF, 0xD8]
    private static let pngSignature: [UInt8] = [0x89, 0x50, 0x4E, 0x47]
    private static let riffSignature = Array("RIFF".utf8)
    private static let webpSignature = Array("WEBP".utf8)
}

/// What a picture's header tells, before anything is decoded.
public struct ImageHeader: Equatable, Sendable {
    public var format: ImageFormat
    /// Units: pixels, after EXIF orientation.
    public var width: Int
    /// Units: pixels, after EXIF orientation.
    public var height: Int
}
