import CImageCodecs

/// A grayscale picture, to be sent as a file.
public struct GrayPicture: Equatable, Sendable {
    /// Units: pixels.
    public let width: Int
    /// Units: pixels.
    public let height: Int
    /// `[height][width]`.
    public let pixels: [UInt8]

    /// - Precondition: sides of 1 to 65535 pixels, and as many `pixels`.
    public init(width: Int, height: Int, pixels: [UInt8]) {
        precondition((1...65535).contains(width) && (1...65535).contains(height), "a picture of \(width)×\(height)")
        precondition(pixels.count == width * height, "\(pixels.count) pixels for \(width)×\(height)")
        self.width = width
        self.height = height
        self.pixels = pixels
    }

    /// The picture's file.
    ///
    /// - Throws: `outOfMemory`.
    public func png() throws(ImageError) -> [UInt8] {
        let bound = cic_png_gray_bound(UInt32(width), UInt32(height))
        var isWritten = false
        let file = [UInt8](unsafeUninitializedCapacity: bound) { memory, count in
            count = cic_png_write_gray(pixels, UInt32(width), UInt32(height), memory.baseAddress!, bound)
            isWritten = count > 0
        }
        guard isWritten else { throw .outOfMemory }
        return file
    }
}
