import TestSupport
import Testing

@testable import Imaging

struct WebPDamageTests {
    private static let preprocessing = Preprocessing(resize: 8, crop: 8, filter: .bicubic)

    @Test(arguments: PictureFixture.webps) func refusesTruncationAnywhere(fixture: PictureFixture) throws {
        let bytes = try fixture.bytes()
        for count in 12..<bytes.count {
            let found = error(of: Array(bytes[..<count]), Self.preprocessing)
            #expect(found?.isDamage == true, "\(count) of \(bytes.count) bytes: \(String(describing: found))")
        }
        #expect(try ownPixels(of: bytes + [1, 2, 3]) == fixture.pixels())
    }

    /// As if the file had been cut and its lengths mended: the bit stream itself must tell.
    @Test(arguments: ["lossy", "lossy-high", "lossless", "lossless-alpha"])
    func refusesABitStreamThatEndsEarly(name: String) throws {
        let bytes = try PictureFixture("webp", name).bytes()
        for count in stride(from: 40, to: bytes.count - 16, by: 2) {
            var cut = Array(bytes[..<count])
            for (offset, length) in [(4, count - 8), (16, count - 20)] {
                for byte in 0..<4 { cut[offset + byte] = UInt8(truncatingIfNeeded: length >> (8 * byte)) }
            }
            let found = error(of: cut, Self.preprocessing)
            #expect(found?.isDamage == true, "\(count) of \(bytes.count) bytes: \(String(describing: found))")
        }
    }

    @Test(arguments: PictureFixture.webps) func survivesRandomDamage(fixture: PictureFixture) throws {
        let original = try fixture.bytes()
        var random = SplitMix64(seed: UInt64(original.count))
        var decoder = ImageDecoder(limits: ImageLimits(maxPixels: 1_000_000))
        for _ in 0..<300 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...8, using: &random) {
                bytes[Int.random(in: 12..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            _ = try? decoder.prepare(bytes.span, Self.preprocessing)
        }
    }

    struct Damage: CustomTestStringConvertible, Sendable {
        var reason: String
        var fixture: String
        var offset: Int
        var change: @Sendable (inout [UInt8]) -> Void

        init(
            _ reason: String, at offset: Int, _ fixture: String, _ change: @escaping @Sendable (inout [UInt8]) -> Void
        ) {
            self.reason = reason
            self.fixture = fixture
            self.offset = offset
            self.change = change
        }

        var testDescription: String { reason }
    }

    static let damages = [
        Damage("the file ends early: it should have 65856 bytes", at: 320, "lossy") { $0[6] = 1 },
        Damage("the file ends early, in the picture's header", at: 20, "lossy") { $0.removeLast(300) },
        Damage("neither a VP8 nor a VP8L picture, nor a VP8X header", at: 12, "lossy") { $0[15] = 0x39 },
        Damage("the file ends early, in the 'VP8X' chunk", at: 28, "animated") { $0.removeLast($0.count - 28) },
        Damage("a 'VP8X' chunk of 9 bytes, fewer than 10", at: 16, "animated") { $0[16] = 9 },
        Damage("a chunk's type is not four printable characters", at: 30, "animated") { $0[30] = 0 },
        Damage("an animation without a frame", at: 1492, "animated") {
            for start in 0..<$0.count - 4 where $0[start..<start + 4].elementsEqual(Array("ANMF".utf8)) {
                $0[start] = UInt8(ascii: "X")
            }
        },
        Damage("the first frame of the animation is not on its canvas", at: 52, "animated-part-lossy") { $0[52] = 7 },
        Damage("the picture has 12 x 7 pixels, its header said 11 x 7", at: 68, "animated-part-lossy") { $0[58] = 10 },
        Damage("the lossless bit stream is broken or ends early", at: 12, "lossless") { $0[25] = 0xFF },
    ]

    @Test(arguments: damages) func saysWhatIsWrongAndWhere(damage: Damage) throws {
        var bytes = try PictureFixture("webp", damage.fixture).bytes()
        damage.change(&bytes)
        #expect(error(of: bytes, Self.preprocessing) == .damaged(reason: damage.reason, offset: damage.offset))
    }
}
