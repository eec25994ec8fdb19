import Tensors

/// A picture ready for a model: oriented, resized and cropped, not yet normalised.
public final class PreparedImage: Sendable {
    /// Units: pixels.
    public let width: Int
    /// Units: pixels.
    public let height: Int
    /// Units: pixels. Width of the picture as it was sent, after EXIF orientation.
    public let sourceWidth: Int
    /// Units: pixels. Height of the picture as it was sent, after EXIF orientation.
    public let sourceHeight: Int
    /// What it took to read the picture and to resize it.
    public let durations: Durations

    private let storage: AlignedBuffer<UInt8>

    public struct Durations: Equatable, Sendable {
        /// Units: nanoseconds. Spent in the codec.
        public var decodeNanoseconds: Int64 = 0
        /// Units: nanoseconds. Spent on the resize, the crop and the orientation.
        public var resizeNanoseconds: Int64 = 0
    }

    init(
        width: Int, height: Int, sourceWidth: Int, sourceHeight: Int, durations: Durations,
        pixels: consuming AlignedBuffer<UInt8>
    ) {
        self.width = width
        self.height = height
        self.sourceWidth = sourceWidth
        self.sourceHeight = sourceHeight
        self.durations = durations
        storage = pixels
    }

    /// Lends the pixels to `body`.
    ///
    /// Shapes: `[height, width, 3] u8`, red, green, blue, without gaps.
    public func withUnsafePixels<Result, Failure: Error>(
        _ body: (UnsafeBufferPointer<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(UnsafeBufferPointer(storage.elements))
    }

    /// The first byte of the pixels, valid while this object lives.
    ///
    /// Shapes: `[height, width, 3] u8`, red, green, blue, without gaps.
    public var unsafePixels: UnsafePointer<UInt8> { UnsafePointer(storage.pointer) }

    /// The pixels as a model takes them: `(pixel / 255 − mean) / standardDeviation`, per channel.
    ///
    /// Shapes: `[height, width, 3] f32`.
    /// - Precondition: three means and three deviations.
    public func normalised(mean: [Float], standardDeviation: [Float]) -> [Float] {
        precondition(mean.count == 3 && standardDeviation.count == 3, "three channels")
        let tables = (0..<3).map { channel in
            (0...255).map { (Float($0) / 255 - mean[channel]) / standardDeviation[channel] }
        }
        return withUnsafePixels { pixels in
            pixels.indices.map { tables[$0 % 3][Int(pixels[$0])] }
        }
    }
}
