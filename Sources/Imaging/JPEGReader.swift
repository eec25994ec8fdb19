import CImageCodecs

/// Reads JPEGs.
struct JPEGReader: ~Copyable, PictureReader, @unchecked Sendable {  // unique owner
    static let reduction = Reduction.byBlocks
    /// What smooth chroma upsampling looks at.
    static let columnMargin = 2

    private let reader: OpaquePointer

    init() {
        guard let reader = cic_jpeg_create() else { fatalError("out of memory") }
        self.reader = reader
    }

    deinit { cic_jpeg_destroy(reader) }

    func open(_ bytes: UnsafeBufferPointer<UInt8>) throws(ImageError) -> StoredHeader {
        var header = cic_header()
        try check(cic_jpeg_open(reader, bytes.baseAddress, bytes.count, &header))
        return StoredHeader(header, in: bytes)
    }

    func start(_ window: PictureWindow, limits: ImageLimits) throws(ImageError) -> PictureWindow {
        try start(window, limits: limits, keepsLibraryDecoder: false)
    }

    /// With libjpeg's own Huffman decoder for a baseline scan, if so wished, for comparison.
    func start(
        _ window: PictureWindow, limits: ImageLimits, keepsLibraryDecoder: Bool
    ) throws(ImageError) -> PictureWindow {
        var actual = cic_jpeg_window(
            reduction: UInt32(window.reduction), first_column: UInt32(window.columns.lowerBound),
            column_count: UInt32(window.columns.count), max_scans: UInt32(clamping: limits.maxScans),
            max_memory_bytes: UInt64(clamping: limits.maxMemoryBytes), keeps_library_decoder: keepsLibraryDecoder)
        try check(cic_jpeg_start(reader, &actual), limits: limits)
        let first = Int(actual.first_column)
        return PictureWindow(reduction: window.reduction, columns: first..<first + Int(actual.column_count))
    }

    /// Whether the Huffman decoder of our own reads the picture that was started.
    var hasOwnDecoder: Bool { cic_jpeg_has_own_decoder(reader) }

    /// Whether there is one for this version of libjpeg-turbo.
    static var knowsLibrary: Bool { cic_jpeg_knows_library() }

    func skip(rowCount: Int) throws(ImageError) { try check(cic_jpeg_skip(reader, UInt32(rowCount))) }

    func read(into pixels: UnsafeMutablePointer<UInt8>, rowStride: Int, rowCount: Int) throws(ImageError) {
        try check(cic_jpeg_read(reader, pixels, rowStride, UInt32(rowCount)))
    }

    func finish(scratchRow: UnsafeMutablePointer<UInt8>) throws(ImageError) {
        try check(cic_jpeg_finish(reader, scratchRow))
    }

    func close() { cic_jpeg_close(reader) }

    private func check(_ status: cic_status, limits: ImageLimits = ImageLimits()) throws(ImageError) {
        if status == CIC_OK { return }
        throw ImageError(
            status, message: cic_jpeg_message(reader), offset: cic_jpeg_failure_offset(reader), limits: limits)
    }
}
