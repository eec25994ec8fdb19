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
        #expect(error(of: bytes, small, limits: ImageLimits(maxCoefficientBytes: byteCount)) == nil)
        #expect(
            error(of: bytes, small, limits: ImageLimits(maxCoefficientBytes: byteCount - 1))
                == .tooManyCoefficients(limit: byteCount - 1))
        #expect(error(of: JPEGFixture("420").bytes, small, limits: ImageLimits(maxCoefficientBytes: 0)) == nil)
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
