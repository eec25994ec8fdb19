import TestSupport
import Testing

@testable import Imaging

struct JPEGDamageTests {
    @Test(arguments: JPEGFixture.codings) func refusesTruncationAnywhere(fixture: JPEGFixture) {
        let bytes = fixture.bytes
        #expect(bytes.suffix(2) == [0xFF, 0xD9])
        for count in 2..<bytes.count - 2 {
            let found = error(of: Array(bytes[..<count]), fixture.preprocessing)
            #expect(found?.isDamage == true, "\(count) of \(bytes.count) bytes: \(String(describing: found))")
        }
    }

    @Test(arguments: JPEGFixture.codings) func refusesTruncationThatAnEndMarkerHides(fixture: JPEGFixture) {
        // An arithmetic decoder cannot tell: zeros at the end of a scan may be left out. A progressive file may end
        // after any scan.
        if fixture.name.hasPrefix("arithmetic") || fixture.name == "progressive" { return }
        let bytes = fixture.bytes
        for count in JPEGSegments(bytes).scanStart..<bytes.count - 2 where bytes[count - 1] != 0xFF {
            let found = error(of: bytes[..<count] + [0xFF, 0xD9], fixture.preprocessing)
            #expect(found?.isDamage == true, "\(count) of \(bytes.count) bytes: \(String(describing: found))")
        }
    }

    @Test func refusesTruncationBelowTheCrop() {
        let tall = JPEGFixture("tall", resize: 40, crop: 8)
        let bytes = tall.bytes
        #expect(error(of: bytes, tall.preprocessing) == nil)
        #expect(error(of: Array(bytes.dropLast(3)), tall.preprocessing)?.isDamage == true)
        #expect(error(of: bytes.dropLast(3) + [0xFF, 0xD9], tall.preprocessing)?.isDamage == true)
    }

    @Test(arguments: ["420", "grayscale", "progressive", "restart", "cmyk"])
    func toleratesAMissingEndMarkerAfterACompleteScan(name: String) throws {
        let fixture = JPEGFixture(name)
        #expect(try pixels(of: Array(fixture.bytes.dropLast(2)), fixture.preprocessing) == fixture.expected)
        #expect(try pixels(of: Array(fixture.bytes.dropLast(1)), fixture.preprocessing) == fixture.expected)
    }

    @Test(arguments: JPEGFixture.codings) func toleratesWhatFollowsTheEndMarker(fixture: JPEGFixture) throws {
        #expect(try pixels(of: fixture.bytes + [1, 2, 0xFF, 0xD8, 3], fixture.preprocessing) == fixture.expected)
    }

    @Test func toleratesExtraneousBytesBeforeAMarker() throws {
        let fixture = JPEGFixture("420")
        for segment in JPEGSegments(fixture.bytes).segments {
            var bytes = fixture.bytes
            bytes.insert(contentsOf: [0x12, 0x34], at: segment.range.lowerBound)
            #expect(try pixels(of: bytes, fixture.preprocessing) == fixture.expected)
        }
        var bytes = fixture.bytes
        bytes.insert(contentsOf: [0x12, 0x34], at: bytes.count - 2)
        #expect(try pixels(of: bytes, fixture.preprocessing) == fixture.expected)
    }

    @Test(arguments: ["420", "restart", "progressive"], [0xD8, 0xDA, 0xC4, 0x01] as [UInt8])
    func refusesAMarkerInsideTheScan(name: String, marker: UInt8) {
        let fixture = JPEGFixture(name)
        var bytes = fixture.bytes
        let scanStart = JPEGSegments(bytes).scanStart
        bytes.replaceSubrange(scanStart + 40..<scanStart + 42, with: [0xFF, marker])
        #expect(error(of: bytes, fixture.preprocessing)?.isDamage == true)
    }

    @Test func refusesARestartMarkerOutOfTurn() {
        let fixture = JPEGFixture("restart")
        var bytes = fixture.bytes
        let scanStart = JPEGSegments(bytes).scanStart
        let restart = bytes.indices.first { $0 > scanStart && bytes[$0] == 0xFF && bytes[$0 + 1] == 0xD0 }!
        bytes[restart + 1] = 0xD3
        #expect(error(of: bytes, fixture.preprocessing)?.isDamage == true)
    }

    @Test func refusesAScanThatLeavesOutAColour() {
        // Only the first scan, which of these carries the luminance alone, then a sound end.
        let fixture = JPEGFixture("progressive")
        let bytes = fixture.bytes
        let scanStart = JPEGSegments(bytes).scanStart
        var luminanceOnly = bytes
        // The first scan of a progressive file has all components: cut its list down to one.
        let header = JPEGSegments(bytes).segments.last!.range
        luminanceOnly.replaceSubrange(header, with: [0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 0, bytes[scanStart - 1]])
        let end = luminanceOnly.indices.first {
            $0 > header.lowerBound + 10 && luminanceOnly[$0] == 0xFF && luminanceOnly[$0 + 1] != 0
        }!
        #expect(error(of: luminanceOnly[..<end] + [0xFF, 0xD9], fixture.preprocessing)?.isDamage == true)
    }

    /// Memory safety is the sanitizer's to judge; here a corrupted file must give a picture or an error and nothing else.
    @Test(arguments: JPEGFixture.codings) func survivesAnyOneByteChanged(fixture: JPEGFixture) {
        let original = fixture.bytes
        let limits = ImageLimits(maxPixels: 1_000_000)
        var decoder = ImageDecoder(limits: limits)
        var refusedCount = 0
        for index in original.indices {
            for change in [0x01, 0x80, 0xFF] as [UInt8] {
                var bytes = original
                bytes[index] ^= change
                do {
                    let image = try decoder.prepare(bytes.span, fixture.preprocessing)
                    #expect(image.width == 32 && image.height == 32)
                } catch { refusedCount += 1 }
            }
        }
        #expect(refusedCount > original.count / 10)
    }

    @Test(arguments: JPEGFixture.codings) func survivesRandomDamage(fixture: JPEGFixture) {
        let original = fixture.bytes
        let seed = UInt64(original.count)
        var random = SplitMix64(seed: seed)
        var decoder = ImageDecoder(limits: ImageLimits(maxPixels: 1_000_000))
        for _ in 0..<300 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...8, using: &random) {
                let index = Int.random(in: bytes.indices, using: &random)
                switch UInt8.random(in: 0..<3, using: &random) {
                case 0: bytes[index] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: index)
                default: bytes.insert(UInt8.random(in: 0...255, using: &random), at: index)
                }
            }
            _ = try? decoder.prepare(bytes.span, fixture.preprocessing)
        }
    }
}
