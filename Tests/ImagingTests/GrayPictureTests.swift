import TestSupport
import Testing

@testable import Imaging

struct GrayPictureTests {
    private func decoded(_ file: [UInt8], _ preprocessing: Preprocessing) throws -> [UInt8] {
        var decoder = ImageDecoder()
        return try decoder.prepare(file.span, preprocessing).withUnsafePixels { Array($0) }
    }

    /// Read again by the decoder, of the same library, with its checks of every chunk.
    @Test(arguments: [(1, 1), (56, 56), (80, 56), (3, 200)]) func becomesAFileWithTheSamePixels(width: Int, height: Int)
        throws
    {
        var random = SplitMix64(seed: 12)
        let pixels = (0..<width * height).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        let file = try GrayPicture(width: width, height: height, pixels: pixels).png()
        #expect(file.starts(with: [0x89, 0x50, 0x4E, 0x47]))
        let side = min(width, height)
        let same = Preprocessing(resize: side, cropWidth: width, cropHeight: height, filter: .bilinear)
        #expect(try decoded(file, same) == pixels.flatMap { [$0, $0, $0] })
    }

    /// A picture whose pixels say where they are shows in its crop what part that is.
    @Test(arguments: [
        (width: 250, height: 120, resize: 64, crop: 56), (120, 250, 64, 56), (200, 200, 100, 90), (250, 100, 40, 60),
        (90, 240, 30, 44), (101, 157, 77, 51),
    ])
    func coversWhatTheCropShows(width: Int, height: Int, resize: Int, crop: Int) throws {
        let preprocessing = Preprocessing(resize: resize, crop: crop, filter: .bilinear)
        let box = preprocessing.coveredPart(width: width, height: height)
        let across = GrayPicture(
            width: width, height: height, pixels: (0..<width * height).map { UInt8($0 % width) })
        let down = GrayPicture(width: width, height: height, pixels: (0..<width * height).map { UInt8($0 / width) })
        let (columns, rows) = try (decoded(across.png(), preprocessing), decoded(down.png(), preprocessing))
        var compared = 0
        for y in 0..<crop {
            for x in 0..<crop {
                // Where the middle of this pixel was, as an index of the picture's pixels.
                let fromX = box.x + (Double(x) + 0.5) * box.width / Double(crop) - 0.5
                let fromY = box.y + (Double(y) + 0.5) * box.height / Double(crop) - 0.5
                let at = (y * crop + x) * 3
                guard fromX > -0.5, fromX < Double(width) - 0.5, fromY > -0.5, fromY < Double(height) - 0.5 else {
                    #expect(columns[at] == 0 && rows[at] == 0, "outside is black")
                    continue
                }
                // At the edges the filter sees one side alone.
                let margin = 2 * Double(min(width, height)) / Double(resize)
                guard fromX > margin, fromX < Double(width) - margin, fromY > margin, fromY < Double(height) - margin
                else {
                    continue
                }
                #expect(abs(Double(columns[at]) - fromX) <= 1 && abs(Double(rows[at]) - fromY) <= 1)
                compared += 1
            }
        }
        #expect(compared > 400)
    }
}
