import Testing

@testable import Imaging

struct ImageCostTests {
    private func cost(_ bytes: [UInt8]) -> Int { ImageDecoder.cost(of: bytes.span) }

    @Test(arguments: ["large-lossy", "large-lossless"]) func countsPixelsOfAWebP(name: String) throws {
        let bytes = try PictureFixture("webp", name).bytes()
        #expect(cost(bytes) == max(bytes.count, 97 * 73))
        #expect(cost(Array(bytes[..<30])) == 97 * 73)
    }

    @Test func countsPixelsOfExtendedWebPsAndPNGs() throws {
        let animated = try PictureFixture("webp", "animated-part-lossy").bytes()
        #expect(cost(Array(animated[..<30])) == 24 * 15)
        let png = try PictureFixture("png", "gray-8").bytes()
        #expect(cost(Array(png[..<24])) == 13 * 11)
    }

    @Test func countsPixelsOfDividedJPEGsAlone() {
        let whole = JPEGFixture("420").bytes
        #expect(cost(whole) == whole.count)
        #expect(cost(Array(whole[..<JPEGSegments(whole).scanStart])) == JPEGSegments(whole).scanStart)
        for name in ["progressive", "arithmetic", "arithmetic-progressive"] {
            let bytes = JPEGFixture(name).bytes
            #expect(cost(Array(bytes[..<JPEGSegments(bytes).first(0xC2...0xCA).upperBound])) == 97 * 61)
        }
    }

    @Test func brokenHeadersCostTheirBytes() throws {
        let samples = try [
            JPEGFixture("progressive").bytes, PictureFixture("png", "gray-8").bytes(),
            PictureFixture("webp", "lossy").bytes(),
        ]
        for bytes in samples {
            for count in 0..<min(bytes.count, 24) { #expect(cost(Array(bytes[..<count])) == count) }
        }
        #expect(cost([0xFF, 0xD8, 0xFF, 0xE0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]) == 13)
    }
}
