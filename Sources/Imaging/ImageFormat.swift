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
        guard let format = Self.allCases.first(where: { $0.begins(bytes) }) else {
            throw .unknownFormat(found: Self.nameOfForeign(bytes))
        }
        self = format
    }

    private func begins(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        switch self {
        case .jpeg: bytes.starts(with: [0xFF, 0xD8])
        case .png: bytes.starts(with: [0x89, 0x50, 0x4E, 0x47])
        case .webp: bytes.starts(with: Array("RIFF".utf8)) && bytes.dropFirst(8).starts(with: Array("WEBP".utf8))
        }
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
