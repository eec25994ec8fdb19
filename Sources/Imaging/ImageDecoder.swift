import Tensors

/// Turns the bytes of image files into model inputs.
///
/// Keeps its scratch memory between pictures: some hundred kilobytes, whatever the pictures' sizes. Pictures that their
/// coding has kept whole (see `ImageLimits.maxMemoryBytes`) take more while they are decoded.
/// Concurrency: one thread at a time; each worker has its own.
public struct ImageDecoder: ~Copyable, @unchecked Sendable {  // unique owner of its scratch
    /// What a picture may cost.
    public let limits: ImageLimits

    private let jpeg = JPEGReader()
    private let png = PNGReader()
    private let webp = WebPReader()
    private var pipeline = RowPipeline()

    public init(limits: ImageLimits = ImageLimits()) { self.limits = limits }

    /// Reads the header alone.
    ///
    /// - Throws: `unknownFormat`; `damaged` and `unsupported` where the header is; never a limit.
    /// - Complexity: linear in the length of the header.
    public func probe(_ bytes: Span<UInt8>) throws(ImageError) -> ImageHeader {
        try bytes.withUnsafeBufferPointer { (bytes) throws(ImageError) in
            let format = try ImageFormat(recognising: bytes)
            let header =
                switch format {
                case .jpeg: try Self.header(bytes, jpeg)
                case .png: try Self.header(bytes, png)
                case .webp: try Self.header(bytes, webp)
                }
            let (width, height) = header.orientedSize
            return ImageHeader(format: format, width: width, height: height)
        }
    }

    private static func header(
        _ bytes: UnsafeBufferPointer<UInt8>, _ reader: borrowing some PictureReader & ~Copyable
    ) throws(ImageError) -> StoredHeader {
        defer { reader.close() }
        return try reader.open(bytes)
    }

    /// Decodes, orients, resizes and crops a picture.
    ///
    /// A large JPEG or WebP is decoded at 1/2, 1/4 or 1/8 where that is still no smaller than the resize asks for. What
    /// is transparent lies over white; of an animation the first frame is taken. The data is checked to its end all the same: a picture that is cut off anywhere is an error.
    ///
    /// - Throws: any `ImageError`.
    /// Numerics: equal to Pillow 13's decode and resize, to the bit, where the picture is not reduced while decoding.
    public mutating func prepare(
        _ bytes: Span<UInt8>, _ preprocessing: Preprocessing
    ) throws(ImageError) -> PreparedImage {
        try bytes.withUnsafeBufferPointer { (bytes) throws(ImageError) in
            switch try ImageFormat(recognising: bytes) {
            case .jpeg: try pipeline.prepare(bytes, with: jpeg, preprocessing, limits: limits)
            case .png: try pipeline.prepare(bytes, with: png, preprocessing, limits: limits)
            case .webp: try pipeline.prepare(bytes, with: webp, preprocessing, limits: limits)
            }
        }
    }
}
