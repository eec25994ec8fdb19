import Testing

@testable import Imaging

struct WebPDecodingTests {
    @Test(arguments: PictureFixture.webps) func equalsPillow(fixture: PictureFixture) throws {
        #expect(try ownPixels(of: fixture.bytes()) == fixture.pixels())
    }

    @Test(
        arguments: ["lossy", "lossy-alpha", "lossless", "animated-part-lossy"],
        [
            Preprocessing(resize: 20, crop: 13, filter: .bicubic),
            Preprocessing(resize: 50, crop: 40, filter: .bilinear),
            Preprocessing(resize: 12, crop: 30, filter: .bicubic),
        ])
    func isResizedLikeAnyOtherPicture(name: String, preprocessing: Preprocessing) throws {
        let fixture = PictureFixture("webp", name)
        #expect(try pixels(of: fixture.bytes(), preprocessing) == fixture.pixels(preprocessing))
    }

    /// Orientation 6.
    @Test func turnsAsExifSays() throws {
        let fixture = PictureFixture("webp", "exif-6")
        let bytes = try fixture.bytes()
        #expect(try size(of: bytes) == (12, 18))
        #expect(try ownPixels(of: bytes) == fixture.pixelsTurned(storedWidth: 18))
    }

    /// The mean of the area of each reduced pixel.
    private func areaMeans(_ pixels: [UInt8], width: Int, height: Int, reduction: Int) -> [Double] {
        /// Which stored pixels are part of a reduced one, and how much of each.
        func parts(_ length: Int, _ index: Int) -> [(Int, Double)] {
            let step = Double(length) / Double(PictureGeometry.reduced(length, by: reduction))
            let (start, end) = (Double(index) * step, Double(index + 1) * step)
            return (Int(start)..<min(length, Int(end.rounded(.up)))).map {
                ($0, (min(end, Double($0 + 1)) - max(start, Double($0))) / step)
            }
        }
        var means: [Double] = []
        for y in 0..<PictureGeometry.reduced(height, by: reduction) {
            for x in 0..<PictureGeometry.reduced(width, by: reduction) {
                for channel in 0..<3 {
                    var sum = 0.0
                    for (row, down) in parts(height, y) {
                        for (column, across) in parts(width, x) {
                            sum += down * across * Double(pixels[(row * width + column) * 3 + channel])
                        }
                    }
                    means.append(sum)
                }
            }
        }
        return means
    }

    private func luminance(_ colors: [Double]) -> [Double] {
        stride(from: 0, to: colors.count, by: 3).map { (first: Int) -> Double in
            let (red, green, blue) = (colors[first], colors[first + 1], colors[first + 2])
            return 0.299 * red + 0.587 * green + 0.114 * blue
        }
    }

    /// Against Pillow's pixels of the whole. Of lossy pictures the luminance alone: libwebp scales chrominance by itself and
    /// makes colours afterwards, which shows beside saturated edges.
    @Test(arguments: ["large-lossless", "large-lossy"], [2, 4, 8])
    func aReducedPictureHasTheMeansOfAreas(name: String, reduction: Int) throws {
        let fixture = PictureFixture("webp", name)
        let (bytes, stored) = try (fixture.bytes(), fixture.pixels())
        let (width, height) = try size(of: bytes)
        let expected = areaMeans(stored, width: width, height: height, reduction: reduction)
        let reducedWidth = PictureGeometry.reduced(width, by: reduction)
        let reducedHeight = PictureGeometry.reduced(height, by: reduction)
        let found = try bytes.withUnsafeBufferPointer { bytes in
            let reader = WebPReader()
            defer { reader.close() }
            _ = try reader.open(bytes)
            _ = try reader.start(
                PictureWindow(reduction: reduction, columns: 0..<reducedWidth), limits: ImageLimits())
            var rows = [UInt8](repeating: 0, count: reducedWidth * reducedHeight * 4)
            try reader.read(into: &rows, rowStride: reducedWidth * 4, rowCount: reducedHeight)
            return rows.indices.filter { $0 % 4 != 3 }.map { Double(rows[$0]) }
        }
        #expect(found.count == expected.count)
        let isLossy = name == "large-lossy"
        let compared: ([Double], [Double]) = isLossy ? (luminance(found), luminance(expected)) : (found, expected)
        let differences = zip(compared.0, compared.1).map { abs($0 - $1) }
        let tolerance: (greatest: Double, mean: Double) = isLossy ? (6, 1) : (1, 0.6)
        #expect(differences.max()! <= tolerance.greatest)
        #expect(differences.reduce(0, +) / Double(differences.count) <= tolerance.mean)
    }

    @Test func decodesLargePicturesReduced() throws {
        let fixture = PictureFixture("webp", "large-lossless")
        let preprocessing = Preprocessing(resize: 18, crop: 16, filter: .bicubic)
        let reducedBytes = 97 * 73 * 4 + 25 * 19 * 4
        let limits = ImageLimits(maxMemoryBytes: reducedBytes + 200_000)
        #expect(try pixels(of: fixture.bytes(), preprocessing, limits: limits).count == 16 * 16 * 3)
        #expect(
            try error(of: fixture.bytes(), preprocessing, limits: ImageLimits(maxMemoryBytes: reducedBytes - 1))
                == .tooMuchMemory(reason: "the picture takes \(reducedBytes) bytes", limit: reducedBytes - 1))
    }
}
