import CImageCodecs

/// A JPEG in memory, read by strips of rows.
///
/// The bytes given to `open` must stay where they are until `close`.
struct JPEGReader: ~Copyable, @unchecked Sendable {  // unique owner
    private let reader: OpaquePointer

    init() {
        guard let reader = cic_jpeg_create() else { fatalError("out of memory") }
        self.reader = reader
    }

    deinit { cic_jpeg_destroy(reader) }

    struct Header {
        /// Units: pixels, as stored.
        var width: Int
        var height: Int
        var orientation: Orientation
    }

    struct Window: Equatable {
        /// 1, 2, 4 or 8.
        var reduction: Int
        /// In the reduced picture.
        var columns: Range<Int>
        /// Whether libjpeg's own Huffman decoder reads a baseline scan, for comparison.
        var keepsLibraryDecoder = false
    }

    /// - Throws: `damaged`, `unsupported`, `outOfMemory`.
    func open(_ bytes: UnsafeBufferPointer<UInt8>) throws(ImageError) -> Header {
        var header = cic_jpeg_header()
        try check(cic_jpeg_open(reader, bytes.baseAddress, bytes.count, &header))
        let exif = UnsafeBufferPointer(rebasing: bytes[header.exif_offset..<header.exif_offset + header.exif_length])
        return Header(width: Int(header.width), height: Int(header.height), orientation: Orientation(exif: exif))
    }

    /// Makes ready to read rows of at least the columns wanted, and tells which they are.
    ///
    /// - Throws: `damaged`, `unsupported`, `tooManyScans`, `tooManyCoefficients`, `outOfMemory`.
    func start(_ window: Window, limits: ImageLimits) throws(ImageError) -> Window {
        var actual = cic_jpeg_window(
            reduction: UInt32(window.reduction), first_column: UInt32(window.columns.lowerBound),
            column_count: UInt32(window.columns.count), max_scans: UInt32(clamping: limits.maxScans),
            max_coefficient_bytes: UInt64(clamping: limits.maxCoefficientBytes),
            keeps_library_decoder: window.keepsLibraryDecoder)
        try check(cic_jpeg_start(reader, &actual), limits: limits)
        let first = Int(actual.first_column)
        return Window(reduction: window.reduction, columns: first..<first + Int(actual.column_count))
    }

    /// Whether the Huffman decoder of our own reads the picture that was started.
    var hasOwnDecoder: Bool { cic_jpeg_has_own_decoder(reader) }

    /// Whether there is one for this version of libjpeg-turbo.
    static var knowsLibrary: Bool { cic_jpeg_knows_library() }

    /// - Throws: `damaged`.
    func skip(rowCount: Int) throws(ImageError) { try check(cic_jpeg_skip(reader, UInt32(rowCount))) }

    /// Shapes: `[rowCount, window columns, 4] u8` with gaps to `rowStride` bytes.
    /// - Throws: `damaged`.
    func read(into pixels: UnsafeMutablePointer<UInt8>, rowStride: Int, rowCount: Int) throws(ImageError) {
        try check(cic_jpeg_read(reader, pixels, rowStride, UInt32(rowCount)))
    }

    /// Decodes the rest of the scan, so that damage in rows which nobody wants is found too.
    ///
    /// - Throws: `damaged`.
    func finish(scratchRow: UnsafeMutablePointer<UInt8>) throws(ImageError) {
        try check(cic_jpeg_finish(reader, scratchRow))
    }

    func close() { cic_jpeg_close(reader) }

    private func check(_ status: cic_jpeg_status, limits: ImageLimits = ImageLimits()) throws(ImageError) {
        if status == CIC_JPEG_OK { return }
        let reason = String(cString: cic_jpeg_message(reader))
        switch status {
        case CIC_JPEG_UNSUPPORTED: throw .unsupported(reason: reason)
        case CIC_JPEG_TOO_MANY_SCANS: throw .tooManyScans(limit: limits.maxScans)
        case CIC_JPEG_TOO_MANY_COEFFICIENTS: throw .tooManyCoefficients(limit: limits.maxCoefficientBytes)
        case CIC_JPEG_OUT_OF_MEMORY: throw .outOfMemory
        default: throw .damaged(reason: reason, offset: cic_jpeg_failure_offset(reader))
        }
    }
}
