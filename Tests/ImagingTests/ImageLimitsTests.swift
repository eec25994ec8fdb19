import Testing

@testable import Imaging

struct ImageLimitsTests {
    private let small = Preprocessing(resize: 40, crop: 32, filter: .bicubic)

    @Test func countsPixelsOnTheHeader() {
        let bytes = JPEGFixture("420").bytes
        #expect(error(of: bytes, small, limits: ImageLimits(maxPixels: 97 * 61)) == nil)
        let refusal = ImageError.tooManyPixels(width: 97, height: 61, limit: 97 * 61 - 1)
        #expect(error(of: bytes, small, limits: ImageLimits(maxPixels: 97 * 61 - 1)) == refusal)
        let scanStart = JPEGSegments(bytes).scanStart
        #expect(error(of: Array(bytes[..<scanStart]), small, limits: ImageLimits(maxPixels: 97 * 61 - 1)) == refusal)
    }

    @Test func refusesAHugeSizeInTheHeader() {
        var bytes = JPEGFixture("420").bytes
        let frame = JPEGSegments(bytes).first(0xC0...0xC0).lowerBound
        bytes.replaceSubrange(frame + 5..<frame + 9, with: [0xFF, 0x00, 0xFF, 0x00])
        #expect(error(of: bytes, small) == .tooManyPixels(width: 65280, height: 65280, limit: 50_000_000))
    }

    @Test(arguments: ["progressive", "arithmetic-progressive"]) func countsScans(name: String) {
        let bytes = JPEGFixture(name).bytes
        #expect(error(of: bytes, small, limits: ImageLimits(maxScans: 10)) == nil)
        #expect(error(of: bytes, small, limits: ImageLimits(maxScans: 9)) == .tooManyScans(limit: 9))
    }

    @Test func boundsTheCoefficientsOfProgressivePicturesAlone() {
        // 97×61 at 4:2:0: 14×8 blocks of luminance, 2 × 7×4 of chrominance, 128 bytes each.
        let byteCount = (14 * 8 + 2 * 7 * 4) * 128
        let bytes = JPEGFixture("progressive").bytes
        #expect(error(of: bytes, small, limits: ImageLimits(maxMemoryBytes: byteCount)) == nil)
        #expect(
            error(of: bytes, small, limits: ImageLimits(maxMemoryBytes: byteCount - 1))
                == .tooMuchMemory(reason: "the coefficients take \(byteCount) bytes", limit: byteCount - 1))
        #expect(error(of: JPEGFixture("420").bytes, small, limits: ImageLimits(maxMemoryBytes: 0)) == nil)
    }

    @Test(arguments: [PictureFixture("png", "rgb-8"), PictureFixture("png", "rgb-8-adam7")])
    func countsPixelsOfAPNGOnItsHeader(fixture: PictureFixture) throws {
        let bytes = try fixture.bytes()
        #expect(error(of: bytes, small, limits: ImageLimits(maxPixels: 13 * 11)) == nil)
        let refusal = ImageError.tooManyPixels(width: 13, height: 11, limit: 13 * 11 - 1)
        #expect(error(of: bytes, small, limits: ImageLimits(maxPixels: 13 * 11 - 1)) == refusal)
        #expect(error(of: Array(bytes[..<33]), small, limits: ImageLimits(maxPixels: 13 * 11 - 1)) == refusal)
    }

    @Test(arguments: ["lossy", "lossless", "lossy-alpha"]) func countsPixelsOfAWebPOnItsHeader(name: String) throws {
        let bytes = try PictureFixture("webp", name).bytes()
        #expect(error(of: bytes, small, limits: ImageLimits(maxPixels: 33 * 21)) == nil)
        let refusal = ImageError.tooManyPixels(width: 33, height: 21, limit: 33 * 21 - 1)
        #expect(error(of: Array(bytes[..<32]), small, limits: ImageLimits(maxPixels: 33 * 21 - 1)) == refusal)
    }

    @Test func refusesHugeSizesInTheHeadersOfPNGAndWebP() throws {
        var png = try PNGChunks(PictureFixture("png", "rgb-8").bytes())
        png["IHDR"].replaceSubrange(0..<8, with: [0x7F, 0xFF, 0xFF, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF])
        #expect(
            error(of: png.bytes, small)
                == .tooManyPixels(width: 0x7FFF_FFFF, height: 0x7FFF_FFFF, limit: 50_000_000))
        var webp = try PictureFixture("webp", "lossy-alpha").bytes()
        webp.replaceSubrange(24..<30, with: [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF])
        #expect(error(of: webp, small) == .tooManyPixels(width: 1 << 24, height: 1 << 24, limit: 50_000_000))
    }

    @Test func boundsTheSides() throws {
        for (width, height) in [([0, 1, 0, 0], [0, 0, 0, 1]), ([0, 0, 0, 1], [0, 1, 0, 0])] as [([UInt8], [UInt8])] {
            var png = try PNGChunks(PictureFixture("png", "gray-1").bytes())
            png["IHDR"].replaceSubrange(0..<8, with: width + height)
            guard case .sideTooLong(_, _, 65_535) = error(of: png.bytes, small) else {
                Issue.record("\(String(describing: error(of: png.bytes, small)))")
                return
            }
        }
    }

    @Test func boundsTheMemoryOfInterlacedPNGsAlone() throws {
        let byteCount = 13 * 11 * 4
        let bytes = try PictureFixture("png", "rgb-16-adam7").bytes()
        #expect(error(of: bytes, small, limits: ImageLimits(maxMemoryBytes: byteCount)) == nil)
        #expect(
            error(of: bytes, small, limits: ImageLimits(maxMemoryBytes: byteCount - 1))
                == .tooMuchMemory(reason: "an interlaced picture takes \(byteCount) bytes", limit: byteCount - 1))
        #expect(
            try error(of: PictureFixture("png", "rgb-16").bytes(), small, limits: ImageLimits(maxMemoryBytes: 0)) == nil
        )
    }

    /// Bytes a pixel: of the result, and of what libwebp keeps beside it; and a group of prefix codes of what is lossless.
    @Test(arguments: [("lossy", 4, 0), ("lossy-alpha", 6, 1), ("lossless", 8, 1), ("lossless-alpha", 8, 1)])
    func boundsTheMemoryOfWebPs(name: String, pixelBytes: Int, groupCount: Int) throws {
        let byteCount = 33 * 21 * pixelBytes
        let bytes = try PictureFixture("webp", name).bytes()
        let enough = byteCount + groupCount * 22_000
        #expect(error(of: bytes, small, limits: ImageLimits(maxMemoryBytes: enough)) == nil)
        #expect(
            error(of: bytes, small, limits: ImageLimits(maxMemoryBytes: byteCount - 1))
                == .tooMuchMemory(reason: "the picture takes \(byteCount) bytes", limit: byteCount - 1))
        guard groupCount > 0 else { return }
        guard case .tooMuchMemory = error(of: bytes, small, limits: ImageLimits(maxMemoryBytes: byteCount + 12_000))
        else {
            Issue.record("no memory for prefix codes is counted")
            return
        }
    }

    /// A group of prefix codes for each 4×4 pixels: 300 kB, of which libwebp makes 400 MB.
    @Test func refusesALosslessWebPOfManyPrefixCodes() {
        let bytes = manyPrefixCodes(side: 1024)
        let groupBytes = 4 * 2954 + 600
        let expected = 2 * 4 * 1024 * 1024 + 4 * 65_536 + 65_536 * groupBytes
        #expect(
            error(of: bytes, Preprocessing(resize: 1024, crop: 32, filter: .bicubic))
                == .tooMuchMemory(reason: "the picture takes \(expected) bytes", limit: 96 << 20))
        let few = manyPrefixCodes(side: 64)
        #expect(error(of: few, small) == nil)
    }

    @Test func refusesTwelveBitSamplesAsUnsupported() {
        var bytes = JPEGFixture("420").bytes
        bytes[JPEGSegments(bytes).first(0xC0...0xC0).lowerBound + 4] = 12
        guard case .unsupported = error(of: bytes, small) else {
            Issue.record("\(String(describing: error(of: bytes, small)))")
            return
        }
    }
}
