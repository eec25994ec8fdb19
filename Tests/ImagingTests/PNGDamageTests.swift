import TestSupport
import Testing

@testable import Imaging

struct PNGDamageTests {
    static let some = ["gray-1", "indexed-4-transparent-adam7", "rgb-16", "rgb-alpha-8-adam7", "extras"]
        .map { PictureFixture("png", $0) }

    private static let preprocessing = Preprocessing(resize: 8, crop: 8, filter: .bicubic)

    @Test(arguments: some) func refusesTruncationAnywhere(fixture: PictureFixture) throws {
        let bytes = try fixture.bytes()
        for count in 4..<bytes.count {
            let found = error(of: Array(bytes[..<count]), Self.preprocessing)
            #expect(found?.isDamage == true, "\(count) of \(bytes.count) bytes: \(String(describing: found))")
        }
        #expect(try ownPixels(of: bytes + [1, 2, 3]) == fixture.pixels())
    }

    @Test(arguments: some) func refusesAnyByteChanged(fixture: PictureFixture) throws {
        let bytes = try fixture.bytes()
        for index in bytes.indices {
            for change in [0x01, 0x20, 0xFF] as [UInt8] {
                var changed = bytes
                changed[index] ^= change
                let found = error(of: changed, Self.preprocessing, limits: ImageLimits(maxPixels: 1_000_000))
                #expect(found != nil, "byte \(index) ^ \(change)")
            }
        }
    }

    /// Memory safety is the sanitizer's to judge; here what the checksums do not reveal must give a picture or an error.
    @Test(arguments: PictureFixture.pngs) func survivesChangesThatChecksumsHide(fixture: PictureFixture) throws {
        let original = try PNGChunks(fixture.bytes())
        var random = SplitMix64(seed: UInt64(original.bytes.count))
        for _ in 0..<200 {
            var png = original
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let chunk = Int.random(in: png.chunks.indices, using: &random)
                guard let byte = png.chunks[chunk].content.indices.randomElement(using: &random) else { continue }
                png.chunks[chunk].content[byte] = UInt8.random(in: 0...255, using: &random)
            }
            _ = error(of: png.bytes, Self.preprocessing, limits: ImageLimits(maxPixels: 1_000_000))
        }
    }

    struct Damage: CustomTestStringConvertible, Sendable {
        var reason: String
        var fixture: String
        var change: @Sendable (inout PNGChunks) -> Void

        init(_ reason: String, _ fixture: String, _ change: @escaping @Sendable (inout PNGChunks) -> Void) {
            self.reason = reason
            self.fixture = fixture
            self.change = change
        }

        var testDescription: String { reason }
    }

    static let damages = [
        Damage("the PLTE chunk is missing", "indexed-4") { $0.chunks.remove(at: $0.index("PLTE")) },
        Damage("a PLTE chunk of 4 bytes, not of 1 to 256 times 3", "indexed-4") { $0["PLTE"] = [1, 2, 3, 4] },
        Damage("a PLTE chunk of 0 bytes, not of 1 to 256 times 3", "indexed-4") { $0["PLTE"] = [] },
        Damage("the PLTE chunk is not where it must be", "indexed-4") { $0.chunks.insert(("PLTE", [1, 2, 3]), at: 1) },
        Damage("row 0 has a colour beyond the palette's end", "indexed-8") { $0["PLTE"] = [1, 2, 3] },
        Damage("row 0 has a colour beyond the palette's end", "indexed-8-adam7") { $0["PLTE"] = [1, 2, 3] },
        Damage("a tRNS chunk of 1 bytes, fewer than 6", "rgb-8-transparent") { $0["tRNS"] = [1] },
        Damage("the tRNS chunk is not where it must be", "rgb-8") { $0.chunks.insert(("tRNS", [0, 1]), at: 2) },
        Damage("the tRNS chunk is not where it must be", "indexed-4") { $0.chunks.insert(("tRNS", [1]), at: 1) },
        Damage("other chunks between the IDAT chunks", "extras") {
            $0.chunks.insert(("tEXt", []), at: $0.index("IDAT") + 1)
        },
        Damage("there is no IDAT chunk", "gray-8") { $0.chunks.remove(at: $0.index("IDAT")) },
        Damage("a chunk that must be understood and is not: IHDR", "gray-8") {
            $0.chunks.insert(("IHDR", $0["IHDR"]), at: 1)
        },
        Damage("a chunk that must be understood and is not: CgBI", "gray-8") {
            $0.chunks.insert(("CgBI", []), at: 1)
        },
        Damage("begins with a CgBI chunk of 0 bytes, not with IHDR of 13", "gray-8") {
            $0.chunks.insert(("CgBI", []), at: 0)
        },
        Damage("a chunk's type is not four letters, but 74 45 20 74", "gray-8") {
            $0.chunks.insert(("tE t", []), at: 1)
        },
        Damage("the image data ends early, in row 0 of 11", "gray-8") { $0["IDAT"].removeLast($0["IDAT"].count - 3) },
        Damage("the image data ends early, in row 11 of 12", "gray-8") { $0["IHDR"][7] = 12 },
        Damage("0 x 11 pixels, neither may be 0 or above 2147483647", "gray-8") { $0["IHDR"][3] = 0 },
        Damage("there is no colour type 2 with 4 bits", "rgb-8") { $0["IHDR"][8] = 4 },
        Damage("there is no colour type 1 with 8 bits", "rgb-8") { $0["IHDR"][9] = 1 },
        Damage("IDAT: incorrect header check", "gray-8") { $0["IDAT"][0] = 0 },
        Damage("IDAT: incorrect data check", "gray-8") { $0["IDAT"][$0["IDAT"].count - 1] ^= 1 },
        Damage("bad adaptive filter value", "gray-8") {
            // A stored block of deflate: the filter of the first row is the seventh.
            $0["IHDR"].replaceSubrange(0..<8, with: [0, 0, 0, 1, 0, 0, 0, 1])
            $0["IDAT"] = [0x78, 0x01, 1, 2, 0, 0xFD, 0xFF, 7, 9, 0, 0x19, 0, 0x11]
        },
    ]

    @Test(arguments: damages) func saysWhatIsWrong(damage: Damage) throws {
        var png = try PNGChunks(PictureFixture("png", damage.fixture).bytes())
        damage.change(&png)
        guard case .damaged(let reason, let offset) = error(of: png.bytes, Self.preprocessing) else {
            Issue.record("\(String(describing: error(of: png.bytes, Self.preprocessing)))")
            return
        }
        #expect(reason == damage.reason)
        #expect((8...png.bytes.count).contains(offset))
    }

    @Test func namesTheChunkWithAWrongChecksum() throws {
        var bytes = try PictureFixture("png", "gray-8").bytes()
        bytes[bytes.count - 1] ^= 1
        #expect(
            error(of: bytes, Self.preprocessing)
                == .damaged(
                    reason: "the checksum of the IEND chunk is ae426082, not ae426083", offset: bytes.count - 12))
    }

    @Test func tellsASignatureThatWasTakenForText() throws {
        var bytes = try PictureFixture("png", "gray-8").bytes()
        bytes.remove(at: 4)
        #expect(
            error(of: bytes, Self.preprocessing)
                == .damaged(reason: "the signature is broken, as if the file had been taken for text", offset: 4))
    }

    @Test func refusesUnknownMethodsAsUnsupported() throws {
        var png = try PNGChunks(PictureFixture("png", "gray-8").bytes())
        png["IHDR"][10] = 1
        guard case .unsupported = error(of: png.bytes, Self.preprocessing) else {
            Issue.record("\(String(describing: error(of: png.bytes, Self.preprocessing)))")
            return
        }
    }
}
