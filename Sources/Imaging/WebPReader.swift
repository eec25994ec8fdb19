import CImageCodecs

/// Reads WebPs.
struct WebPReader: ~Copyable, PictureReader, @unchecked Sendable {  // unique owner
    static let reduction = Reduction.byScaling
    static let columnMargin = 0

    private let reader: OpaquePointer

    init() {
        guard let reader = cic_webp_create() else { fatalError("out of memory") }
        self.reader = reader
    }

    deinit { cic_webp_destroy(reader) }

    func open(_ bytes: UnsafeBufferPointer<UInt8>) throws(ImageError) -> StoredHeader {
        var header = cic_header()
        try check(cic_webp_open(reader, bytes.baseAddress, bytes.count, &header))
        return StoredHeader(header, in: bytes)
    }

    func start(_ window: PictureWindow, limits: ImageLimits) throws(ImageError) -> PictureWindow {
        var wanted = cic_webp_window(
            first_column: UInt32(window.columns.lowerBound), column_count: UInt32(window.columns.count),
            reduction: UInt32(window.reduction), max_memory_bytes: UInt64(clamping: limits.maxMemoryBytes))
        try check(cic_webp_start(reader, &wanted), limits: limits)
        return window
    }

    func skip(rowCount: Int) throws(ImageError) { try check(cic_webp_skip(reader, UInt32(rowCount))) }

    func read(into pixels: UnsafeMutablePointer<UInt8>, rowStride: Int, rowCount: Int) throws(ImageError) {
        try check(cic_webp_read(reader, pixels, rowStride, UInt32(rowCount)))
    }

    /// All has been decoded by `start`.
    func finish(scratchRow: UnsafeMutablePointer<UInt8>) throws(ImageError) {}

    func close() { cic_webp_close(reader) }

    private func check(_ status: cic_status, limits: ImageLimits = ImageLimits()) throws(ImageError) {
        if status == CIC_OK { return }
        throw ImageError(
            status, message: cic_webp_message(reader), offset: cic_webp_failure_offset(reader), limits: limits)
    }
}
