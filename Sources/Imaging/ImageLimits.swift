/// What a picture may cost, checked before the cost arises.
public struct ImageLimits: Equatable, Sendable {
    /// Width times height as the header announces them.
    public var maxPixels: Int
    /// Scans of a progressive JPEG: each may take as long as the whole of a baseline one, at a few bytes.
    public var maxScans: Int
    /// Units: bytes. Memory for the coefficients of a JPEG of several scans, which are all kept until the last one:
    /// 3 bytes a pixel at 4:2:0, 6 at 4:4:4. A JPEG of one scan needs none.
    public var maxCoefficientBytes: Int

    public init(maxPixels: Int = 50_000_000, maxScans: Int = 100, maxCoefficientBytes: Int = 96 << 20) {
        self.maxPixels = maxPixels
        self.maxScans = maxScans
        self.maxCoefficientBytes = maxCoefficientBytes
    }

    /// - Throws: `tooManyPixels`.
    func check(width: Int, height: Int) throws(ImageError) {
        let (pixels, overflow) = width.multipliedReportingOverflow(by: height)
        if overflow || pixels > maxPixels {
            throw .tooManyPixels(width: width, height: height, limit: maxPixels)
        }
    }
}
