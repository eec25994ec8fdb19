import Testing

@testable import Imaging

struct PNGDecodingTests {
    @Test(arguments: PictureFixture.pngs) func givesTheExactPixels(fixture: PictureFixture) throws {
        #expect(try ownPixels(of: fixture.bytes()) == fixture.pixels())
    }

    @Test(
        arguments: ["rgb-8", "rgb-8-adam7", "indexed-4-transparent", "rgb-alpha-16-adam7"],
        [
            Preprocessing(resize: 8, crop: 7, filter: .bicubic), Preprocessing(resize: 30, crop: 21, filter: .bilinear),
            Preprocessing(resize: 5, crop: 9, filter: .bicubic), Preprocessing(resize: 3, crop: 2, filter: .bicubic),
        ])
    func isResizedLikeAnyOtherPicture(name: String, preprocessing: Preprocessing) throws {
        let fixture = PictureFixture("png", name)
        #expect(try pixels(of: fixture.bytes(), preprocessing) == fixture.pixels(preprocessing))
    }

    /// Orientation 6.
    @Test(arguments: ["exif-before", "exif-after"]) func turnsAsExifSays(name: String) throws {
        let fixture = PictureFixture("png", name)
        let bytes = try fixture.bytes()
        #expect(try size(of: bytes) == (4, 6))
        #expect(try ownPixels(of: bytes) == fixture.pixelsTurned(storedWidth: 6))
    }

    @Test func oneDecoderServesManyPictures() throws {
        var decoder = ImageDecoder()
        let fixtures = PictureFixture.pngs + PictureFixture.webps
        for fixture in fixtures + fixtures.reversed() {
            let bytes = try fixture.bytes()
            let (width, height) = try size(of: bytes)
            let preprocessing = Preprocessing.identity(width: width, height: height)
            let damaged = Array(bytes.dropLast(9))
            _ = try? decoder.prepare(damaged.span, preprocessing)
            let image = try decoder.prepare(bytes.span, preprocessing)
            #expect(try image.withUnsafePixels { Array($0) } == fixture.pixels(), "\(fixture.path)")
        }
    }

    /// What is below the last row is neither inflated nor complained of.
    @Test func takesTheUpperRowsOfWhatHasMore() throws {
        let fixture = PictureFixture("png", "rgb-8")
        var png = try PNGChunks(fixture.bytes())
        png["IHDR"][7] = 5
        #expect(try ownPixels(of: png.bytes) == Array(fixture.pixels().prefix(13 * 5 * 3)))
    }
}

/// The chunks of a PNG, to be changed; their checksums are made anew.
struct PNGChunks {
    var chunks: [(type: String, content: [UInt8])] = []

    init(_ bytes: [UInt8]) {
        var offset = 8
        while offset < bytes.count {
            let length = bytes[offset..<offset + 4].reduce(0) { $0 << 8 | Int($1) }
            let type = String(decoding: bytes[offset + 4..<offset + 8], as: UTF8.self)
            chunks.append((type, Array(bytes[offset + 8..<offset + 8 + length])))
            offset += length + 12
        }
    }

    /// The content of the first chunk of a type.
    subscript(type: String) -> [UInt8] {
        get { chunks.first { $0.type == type }!.content }
        set { chunks[index(type)].content = newValue }
    }

    func index(_ type: String) -> Int { chunks.firstIndex { $0.type == type }! }

    var bytes: [UInt8] {
        chunks.reduce(into: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) { bytes, chunk in
            let body = Array(chunk.type.utf8) + chunk.content
            bytes += bigEndian(chunk.content.count) + body + bigEndian(Self.checksum(body))
        }
    }

    private func bigEndian(_ number: Int) -> [UInt8] { [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) } }

    private static func checksum(_ bytes: [UInt8]) -> Int {
        let sum = bytes.reduce(UInt32.max) { sum, byte in
            (0..<8).reduce(sum ^ UInt32(byte)) { sum, _ in sum >> 1 ^ (sum & 1 == 1 ? 0xEDB8_8320 : 0) }
        }
        return Int(~sum)
    }
}
