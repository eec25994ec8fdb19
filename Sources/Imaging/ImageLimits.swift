/// What a picture may cost, checked before the cost arises.
public struct ImageLimits: Equatable, Sendable {
    /// Width times height as the header announces them.
    public var maxPixels: Int
    /// Scans of a progressive JPEG: each may take as long as the whole of a baseline one, at a few bytes.
    public var maxScans: Int
    /// Units: bytes. Memory for a picture that its coding has kept whole until the last byte: the coefficients of a JPEG of
    /// several scans (3 bytes a pixel at 4:2:0, 6 at 4:4:4), an interlaced PNG (4 bytes a pixel), a lossless WebP or one
    /// with alpha. All others need none.
    public var maxMemoryBytes: Int

    public init(maxPixels: Int = 50_000_000, maxScans: Int = 100, maxMemoryBytes: Int = 96 << 20) {
        self.maxPixels = maxPixels
        self.maxScans = maxScans
        self.maxMemoryBytes = maxMemoryBytes
    }

    /// Units: pixels. The longest side: a JPEG's longest. What a row costs beside its pixels stays small by it.
    static let maxSide = 65_535

    /// - Throws: `tooManyPixels`, `sideTooLong`.
    func check(width: Int, height: Int) throws(ImageError) {
        let (pixels, overflow) = width.multipliedReportingOverflow(by: height)
        if overflow || pixels > maxPixels {
            throw .tooManyPixels(width: width, height: height, limit: maxPixels)
        }
        guard max(width, height) <= Self.maxSide else {
            throw .sideTooLong(width: width, height: height, limit: Self.maxSide)
        }
    }
}
