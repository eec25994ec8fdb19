import TestSupport
import Testing

@testable import Imaging

/// A PNG or WebP of `Fixtures` and its pixels, as its generator says they must be.
struct PictureFixture: CustomTestStringConvertible, Sendable {
    var path: String
    /// Where the pixels are, without the suffix.
    var pixelsPath: String

    /// - Parameter name: an interlaced PNG `x-adam7` has the pixels of `x`.
    init(_ folder: String, _ name: String) {
        path = "\(folder)/\(name).\(folder)"
        pixelsPath = "\(folder)/" + (name.hasSuffix("-adam7") ? String(name.dropLast("-adam7".count)) : name)
    }

    var testDescription: String { path }

    func bytes() throws -> [UInt8] { try Fixtures.bytes(path) }

    /// Shapes: `[height, width, 3] u8`, as stored.
    func pixels() throws -> [UInt8] { try Fixtures.bytes("\(pixelsPath).bin") }

    /// With every colour type and depth, as they come and interlaced.
    static let pngs: [PictureFixture] = {
        let opaque = ["gray-1", "gray-2", "gray-4", "gray-8", "gray-16", "rgb-8", "rgb-16"]
        let indexed = ["indexed-1", "indexed-2", "indexed-4", "indexed-8"]
        let alpha = ["gray-alpha-8", "gray-alpha-16", "rgb-alpha-8", "rgb-alpha-16"]
        let small = ["rgb-8-1x1", "rgb-8-1x9", "rgb-8-3x2", "rgb-8-5x1"]
        let names = opaque + indexed + (opaque + indexed).map { "\($0)-transparent" } + alpha + small
        let both = names.flatMap { [$0, "\($0)-adam7"] }
        return (both + ["extras", "beyond"]).map { PictureFixture("png", $0) }
    }()

    /// What `preprocessing` makes of the stored pixels, whoever has decoded them.
    func pixels(_ preprocessing: Preprocessing) throws -> [UInt8] {
        let reader = try StoredPixelsReader(width: size(of: bytes()).width, pixels: pixels())
        var pipeline = RowPipeline()
        let nothing = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
        let picture = try pipeline.prepare(nothing, with: reader, preprocessing, limits: ImageLimits())
        return picture.withUnsafePixels { Array($0) }
    }

    /// The stored pixels turned by Exif's orientation 6: the first column, from below, is the first row.
    func pixelsTurned(storedWidth width: Int) throws -> [UInt8] {
        let stored = try pixels()
        let height = stored.count / width / 3
        return (0..<width).flatMap { column in
            (0..<height).reversed().flatMap { row in
                let start = (row * width + column) * 3
                return stored[start..<start + 3]
            }
        }
    }

    static let webps = [
        "lossy", "lossy-high", "lossy-alpha", "lossy-alpha-raw", "lossless", "lossless-alpha", "lossless-few-colors",
        "one-pixel", "one-pixel-lossless", "profile", "animated", "animated-part-lossy", "animated-part-lossless",
    ].map { PictureFixture("webp", $0) }
}

/// Gives rows of pixels that are there already.
struct StoredPixelsReader: PictureReader {
    static let reduction = Reduction.unavailable
    static let columnMargin = 0

    var width: Int
    var pixels: [UInt8]
    private let place = Place()

    private final class Place {
        var row = 0
        var columns = 0..<0
    }

    init(width: Int, pixels: [UInt8]) {
        self.width = width
        self.pixels = pixels
    }

    func open(_ bytes: UnsafeBufferPointer<UInt8>) throws(ImageError) -> StoredHeader {
        StoredHeader(width: width, height: pixels.count / width / 3, orientation: .upright)
    }

    func start(_ window: PictureWindow, limits: ImageLimits) throws(ImageError) -> PictureWindow {
        place.columns = window.columns
        return window
    }

    func skip(rowCount: Int) throws(ImageError) { place.row += rowCount }

    func read(into output: UnsafeMutablePointer<UInt8>, rowStride: Int, rowCount: Int) throws(ImageError) {
        for row in 0..<rowCount {
            for (index, column) in place.columns.enumerated() {
                for channel in 0..<3 {
                    output[row * rowStride + index * 4 + channel] =
                        pixels[((place.row + row) * width + column) * 3 + channel]
                }
            }
        }
        place.row += rowCount
    }

    func finish(scratchRow: UnsafeMutablePointer<UInt8>) throws(ImageError) {}

    func close() {}
}

extension Preprocessing {
    /// One that leaves a picture of this size as it is.
    static func identity(width: Int, height: Int) -> Preprocessing {
        Preprocessing(resize: min(width, height), cropWidth: width, cropHeight: height, filter: .bicubic)
    }
}

/// The size that the header of `bytes` tells.
func size(of bytes: [UInt8]) throws -> (width: Int, height: Int) {
    let header = try ImageDecoder().probe(bytes.span)
    return (header.width, header.height)
}

/// The pixels of `bytes` as they are, `[height, width, 3] u8`.
func ownPixels(of bytes: [UInt8]) throws -> [UInt8] {
    let (width, height) = try size(of: bytes)
    return try pixels(of: bytes, .identity(width: width, height: height))
}
