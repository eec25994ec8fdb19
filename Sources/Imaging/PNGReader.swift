import CImageCodecs

/// Reads PNGs.
struct PNGReader: ~Copyable, PictureReader, @unchecked Sendable {  // unique owner
    static let reduction = Reduction.unavailable
    static let columnMargin = 0

    private let reader: OpaquePointer

    init() {
        guard let reader = cic_png_create() else { fatalError("out of memory") }
        self.reader = reader
    }

    deinit { cic_png_destroy(reader) }

    func open(_ bytes: UnsafeBufferPointer<UInt8>) throws(ImageError) -> StoredHeader {
        var header = cic_header()
        try check(cic_png_open(reader, bytes.baseAddress, bytes.count, &header))
        return StoredHeader(header, in: bytes)
    }

    func start(_ window: PictureWindow, limits: ImageLimits) throws(ImageError) -> PictureWindow {
        precondition(window.reduction == 1, "PNGs are decoded at their size")
        var wanted = cic_png_window(
            first_column: UInt32(window.columns.lowerBound), column_count: UInt32(window.columns.count),
            max_memory_bytes: UInt64(clamping: limits.maxMemoryBytes))
        try check(cic_png_start(reader, &wanted), limits: limits)
        return window
    }

    func skip(rowCount: Int) throws(ImageError) { try check(cic_png_skip(reader, UInt32(rowCount))) }

    func read(into pixels: UnsafeMutablePointer<UInt8>, rowStride: Int, rowCount: Int) throws(ImageError) {
        try check(cic_png_read(reader, pixels, rowStride, UInt32(rowCount)))
    }

    func finish(scratchRow: UnsafeMutablePointer<UInt8>) throws(ImageError) { try check(cic_png_finish(reader)) }

    func close() { cic_png_close(reader) }

    private func check(_ status: cic_status, limits: ImageLimits = ImageLimits()) throws(ImageError) {
        if status == CIC_OK { return }
        throw ImageError(
            status, message: cic_png_message(reader), offset: cic_png_failure_offset(reader), limits: limits)
    }
}
