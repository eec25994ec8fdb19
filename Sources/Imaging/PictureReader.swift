import CImageCodecs

/// Reads pictures of one format: from memory, by strips of rows from top to bottom.
///
/// In the order `open`, `start`, any number of `skip` and `read`, `finish`, and `close` at any time. The bytes given to
/// `open` must stay where they are until `close`.
protocol PictureReader: ~Copyable {
    /// How the codec makes pictures smaller while it decodes them.
    static var reduction: Reduction { get }
    /// Units: pixels. Columns beside the needed ones that the codec looks at when it makes those.
    static var columnMargin: Int { get }

    /// - Throws: `damaged`, `unsupported`, `outOfMemory`.
    func open(_ bytes: UnsafeBufferPointer<UInt8>) throws(ImageError) -> StoredHeader

    /// Makes ready to read rows of at least the columns wanted, and tells which they are.
    ///
    /// - Throws: any `ImageError` but `unknownFormat`, `tooManyPixels` and `sideTooLong`.
    func start(_ window: PictureWindow, limits: ImageLimits) throws(ImageError) -> PictureWindow

    /// - Throws: `damaged`.
    func skip(rowCount: Int) throws(ImageError)

    /// Shapes: `[rowCount, window columns, 4] u8` with gaps to `rowStride` bytes; red, green, blue over white, and a byte
    /// without meaning.
    /// - Throws: `damaged`.
    func read(into pixels: UnsafeMutablePointer<UInt8>, rowStride: Int, rowCount: Int) throws(ImageError)

    /// Decodes the rest, so that damage in rows which nobody wants is found too.
    ///
    /// - Throws: `damaged`.
    func finish(scratchRow: UnsafeMutablePointer<UInt8>) throws(ImageError)

    func close()
}

/// A picture as it is stored, before its orientation turns it.
struct StoredHeader {
    /// Units: pixels.
    var width: Int
    var height: Int
    var orientation: Orientation
}

extension StoredHeader {
    /// - Precondition: the Exif payload lies in `bytes`.
    init(_ header: cic_header, in bytes: UnsafeBufferPointer<UInt8>) {
        let exif = UnsafeBufferPointer(rebasing: bytes[header.exif_offset..<header.exif_offset + header.exif_length])
        self.init(width: Int(header.width), height: Int(header.height), orientation: Orientation(exif: exif))
    }

    /// Units: pixels. After orientation.
    var orientedSize: (width: Int, height: Int) { orientation.orient(width: width, height: height) }
}

/// A part of a picture that is decoded at a fraction of its size.
struct PictureWindow: Equatable {
    /// 1, 2, 4 or 8.
    var reduction: Int
    /// In the reduced picture.
    var columns: Range<Int>
}

/// How a codec makes pictures smaller while it decodes them: to 1/2, 1/4 or 1/8, rounded up.
enum Reduction {
    case unavailable
    /// Each pixel stands for a block of stored ones; the last one's block may reach beyond the picture.
    case byBlocks
    /// The whole picture is scaled.
    case byScaling
}

extension ImageError {
    /// What a codec found.
    ///
    /// - Precondition: `status` is not `CIC_OK`.
    init(_ status: cic_status, message: UnsafePointer<CChar>, offset: Int, limits: ImageLimits) {
        let reason = String(cString: message)
        switch status {
        case CIC_UNSUPPORTED: self = .unsupported(reason: reason)
        case CIC_TOO_MANY_SCANS: self = .tooManyScans(limit: limits.maxScans)
        case CIC_TOO_MUCH_MEMORY: self = .tooMuchMemory(reason: reason, limit: limits.maxMemoryBytes)
        case CIC_OUT_OF_MEMORY: self = .outOfMemory
        default: self = .damaged(reason: reason, offset: offset)
        }
    }
}
