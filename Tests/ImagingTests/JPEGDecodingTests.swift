import TestSupport
import Testing

@testable import Imaging

struct JPEGDecodingTests {
    @Test(arguments: JPEGFixture.all) func equalsPillow(fixture: JPEGFixture) throws {
        #expect(try pixels(of: fixture.bytes, fixture.preprocessing) == fixture.expected)
    }

    @Test func oneDecoderServesManyPictures() throws {
        var decoder = ImageDecoder()
        for fixture in JPEGFixture.all + JPEGFixture.all.reversed() {
            let bytes = fixture.bytes
            let damaged = Array(bytes.dropLast(40))
            _ = try? decoder.prepare(damaged.span, fixture.preprocessing)
            let image = try decoder.prepare(bytes.span, fixture.preprocessing)
            #expect(image.withUnsafePixels { Array($0) } == fixture.expected, "\(fixture.name)")
        }
    }

    @Test func onePictureDoesNotLendItsTablesToTheNext() throws {
        let fixture = JPEGFixture("444")
        var bytes = fixture.bytes
        let tables = JPEGSegments(bytes).segments.filter { $0.marker == 0xDB }
        for table in tables.reversed() { bytes.removeSubrange(table.range) }
        var decoder = ImageDecoder()
        _ = try decoder.prepare(fixture.bytes.span, fixture.preprocessing)
        do {
            _ = try decoder.prepare(bytes.span, fixture.preprocessing)
            Issue.record("decoded without quantisation tables")
        } catch {
            #expect(error.isDamage)
        }
    }

    @Test(arguments: 1...8) func tellsTheSizeAfterOrientation(value: Int) throws {
        let fixture = JPEGFixture("orientation-\(value)")
        let expected = value >= 5 ? (53, 70) : (70, 53)
        var decoder = ImageDecoder()
        let header = try decoder.probe(fixture.bytes.span)
        #expect((header.width, header.height) == expected)
        #expect(header.format == .jpeg)
        let image = try decoder.prepare(fixture.bytes.span, fixture.preprocessing)
        #expect((image.sourceWidth, image.sourceHeight) == expected)
    }

    /// Reads rows of a part of the picture as the decoder would.
    private func rows(
        _ rows: Range<Int>, _ columns: Range<Int>, reduction: Int, of bytes: [UInt8]
    ) throws -> (pixels: [UInt8], columns: Range<Int>) {
        try bytes.withUnsafeBufferPointer { bytes in
            let reader = JPEGReader()
            defer { reader.close() }
            _ = try reader.open(bytes)
            let window = try reader.start(
                PictureWindow(reduction: reduction, columns: columns), limits: ImageLimits())
            let stride = window.columns.count * 4
            var pixels = [UInt8](repeating: 0, count: rows.count * stride)
            try reader.skip(rowCount: rows.lowerBound)
            try pixels.withUnsafeMutableBufferPointer {
                try reader.read(into: $0.baseAddress!, rowStride: stride, rowCount: rows.count)
            }
            return (pixels, window.columns)
        }
    }

    @Test(arguments: JPEGFixture.all.filter { $0.name != "one-pixel" }, [1, 2, 4, 8])
    func partOfThePictureEqualsThatPartOfTheWhole(fixture: JPEGFixture, reduction: Int) throws {
        let seed = UInt64(reduction)
        var random = SplitMix64(seed: seed)
        let bytes = fixture.bytes
        let size = try bytes.withUnsafeBufferPointer { buffer in
            let reader = JPEGReader()
            defer { reader.close() }
            let header = try reader.open(buffer)
            return (width: header.width, height: header.height)
        }
        let width = PictureGeometry.reduced(size.width, by: reduction)
        let height = PictureGeometry.reduced(size.height, by: reduction)
        let whole = try rows(0..<height, 0..<width, reduction: reduction, of: bytes)
        #expect(whole.columns == 0..<width)
        for _ in 0..<40 {
            let left = Int.random(in: 0..<width, using: &random)
            let needed = left..<Int.random(in: left + 1...width, using: &random)
            let top = Int.random(in: 0..<height, using: &random)
            let down = top..<Int.random(in: top + 1...height, using: &random)
            let margin = JPEGReader.columnMargin
            let wanted = max(needed.lowerBound - margin, 0)..<min(needed.upperBound + margin, width)
            let part = try rows(down, wanted, reduction: reduction, of: bytes)
            #expect(part.columns.lowerBound <= wanted.lowerBound && part.columns.upperBound == wanted.upperBound)
            var differs = false
            for row in down {
                for column in needed {
                    for channel in 0..<3 {
                        let inPart = (row - top) * part.columns.count + column - part.columns.lowerBound
                        let inWhole = row * width + column
                        differs = differs || part.pixels[inPart * 4 + channel] != whole.pixels[inWhole * 4 + channel]
                    }
                }
            }
            #expect(!differs, "rows \(down), columns \(needed), seed \(seed)")
        }
    }

    @Test func decodesAtTheLargestReductionThatIsLargeEnough() {
        func reduction(_ width: Int, _ height: Int, resize: Int, _ orientation: Orientation = .upright) -> Int {
            PictureGeometry(
                header: StoredHeader(width: width, height: height, orientation: orientation),
                preprocessing: Preprocessing(resize: resize, crop: 8, filter: .bicubic), reduction: .byBlocks
            ).reduction
        }
        #expect(reduction(4000, 3000, resize: 256) == 8)
        #expect(reduction(4000, 3000, resize: 375) == 8)
        #expect(reduction(4000, 3000, resize: 376) == 4)
        #expect(reduction(500, 375, resize: 256) == 1)
        #expect(reduction(511, 511, resize: 256) == 2)
        #expect(reduction(510, 510, resize: 256) == 1)
        #expect(reduction(3000, 4000, resize: 256, .turnedLeft) == 8)
    }

    @Test func normalisesPerChannel() throws {
        let fixture = JPEGFixture("420")
        var decoder = ImageDecoder()
        let image = try decoder.prepare(fixture.bytes.span, fixture.preprocessing)
        let normalised = image.normalised(mean: [0, 0.5, 1], standardDeviation: [1, 0.5, 2])
        #expect(normalised.count == 32 * 32 * 3)
        for pixel in [0, 500, 1023] {
            for (channel, mean, deviation) in [(0, Float(0), Float(1)), (1, 0.5, 0.5), (2, 1, 2)] {
                let value = Float(fixture.expected[pixel * 3 + channel]) / 255
                #expect(normalised[pixel * 3 + channel] == (value - mean) / deviation)
            }
        }
    }
}
