/// How a picture becomes the input of a model: resized so that its short side has a given length, then cropped to the
/// centre: Pillow's resize, then torchvision's `CenterCrop(crop)`.
public struct Preprocessing: Equatable, Sendable {
    /// Units: pixels. Length of the short side after the resize; the other follows, rounded to the nearest.
    public var resize: Int
    /// Units: pixels. A picture that is smaller after the resize gets black borders.
    public var cropWidth: Int
    /// Units: pixels.
    public var cropHeight: Int
    public var filter: ResamplingFilter

    /// - Precondition: lengths are positive and at most `maxLength`.
    public init(resize: Int, cropWidth: Int, cropHeight: Int, filter: ResamplingFilter) {
        for length in [resize, cropWidth, cropHeight] {
            precondition(length > 0 && length <= Self.maxLength, "a side of \(length) pixels")
        }
        self.resize = resize
        self.cropWidth = cropWidth
        self.cropHeight = cropHeight
        self.filter = filter
    }

    /// A square crop.
    public init(resize: Int, crop: Int, filter: ResamplingFilter) {
        self.init(resize: resize, cropWidth: crop, cropHeight: crop, filter: filter)
    }

    /// Units: pixels. Longest side that may be asked for.
    public static let maxLength = 8192
}

extension Preprocessing {
    /// The size of a whole picture of `width` by `height` after the resize.
    func resizedSize(width: Int, height: Int) -> (width: Int, height: Int) {
        let (short, long) = (min(width, height), max(width, height))
        let length = (2 * resize * long + short) / (2 * short)
        return width <= height ? (resize, length) : (length, resize)
    }
}

extension Preprocessing {
    /// Whether a resize blends the rows with each other before it blends pixels along each of them.
    ///
    /// Source: observed of Pillow 13, which spares the pass along rows that the other pass makes fewer; earlier versions
    /// always blend along first, except in pictures more than 100 times as high as wide.
    static func blendsDownFirst(
        from source: (width: Int, height: Int), to resized: (width: Int, height: Int)
    ) -> Bool {
        source.height - resized.height > max(0, 2 * (source.width - resized.width))
    }
}

/// Which part of one axis of the resized picture is kept, and where it goes in the crop.
struct CropAxis: Equatable {
    /// Outputs kept, in the resized picture.
    var kept: Range<Int>
    /// Black pixels before them.
    var padding: Int

    /// Source: torchvision's `center_crop`, which rounds halves to even when it cuts and down when it pads.
    init(resizedLength: Int, cropLength: Int) {
        if cropLength >= resizedLength {
            kept = 0..<resizedLength
            padding = (cropLength - resizedLength) / 2
        } else {
            let first = Int((Double(resizedLength - cropLength) / 2).rounded(.toNearestOrEven))
            kept = first..<first + cropLength
            padding = 0
        }
    }
}
