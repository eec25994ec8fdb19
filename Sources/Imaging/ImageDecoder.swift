import Tensors

/// Turns the bytes of image files into model inputs.
///
/// Keeps its scratch memory between pictures: some hundred kilobytes, whatever the pictures' sizes.
/// Concurrency: one thread at a time; each worker has its own.
public struct ImageDecoder: ~Copyable, @unchecked Sendable {  // unique owner of its scratch
    /// What a picture may cost.
    public let limits: ImageLimits

    let jpeg = JPEGReader()
    var resampler = StreamingResampler()
    var strip = AlignedBuffer<UInt8>(count: 0)
    var unturned = AlignedBuffer<UInt8>(count: 0)

    public init(limits: ImageLimits = ImageLimits()) { self.limits = limits }

    /// Reads the header alone.
    ///
    /// - Throws: `unknownFormat`; `damaged` and `unsupported` where the header is; never a limit.
    /// - Complexity: linear in the length of the header.
    public func probe(_ bytes: Span<UInt8>) throws(ImageError) -> ImageHeader {
        try bytes.withUnsafeBufferPointer { (bytes) throws(ImageError) in
            let format = try ImageFormat(recognising: bytes)
            switch format {
            case .jpeg:
                defer { jpeg.close() }
                let header = try jpeg.open(bytes)
                let (width, height) = header.orientation.orient(width: header.width, height: header.height)
                return ImageHeader(format: format, width: width, height: height)
            }
        }
    }

    /// Decodes, orients, resizes and crops a picture.
    ///
    /// A large picture is decoded at 1/2, 1/4 or 1/8 where that is still no smaller than the resize asks for, and only
    /// around the crop. The data is checked to its end all the same: a picture that is cut off anywhere is an error.
    ///
    /// - Throws: any `ImageError`.
    /// Numerics: equal to Pillow 13's decode and resize, to the bit, where the picture is not reduced while decoding.
    public mutating func prepare(
        _ bytes: Span<UInt8>, _ preprocessing: Preprocessing
    ) throws(ImageError) -> PreparedImage {
        try bytes.withUnsafeBufferPointer { (bytes) throws(ImageError) in
            switch try ImageFormat(recognising: bytes) {
            case .jpeg: try prepareJPEG(bytes, preprocessing)
            }
        }
    }
}
