import TestSupport
import Testing

@testable import Imaging

/// The Huffman decoder beside the one of libjpeg that it stands in for.
struct JPEGEntropyTests {
    private struct Outcome {
        /// Every row of the middle half of a picture; nil where the picture is refused.
        var rows: [UInt8]?
        var error: ImageError?
        /// Whether our decoder was asked for them; nil where the picture was refused before.
        var isOurs: Bool?
    }

    private func read(_ bytes: [UInt8], reduction: Int = 1, byLibrary: Bool) -> Outcome {
        let reader = JPEGReader()
        var outcome = Outcome()
        bytes.withUnsafeBufferPointer { bytes in
            do throws(ImageError) {
                let header = try reader.open(bytes)
                guard header.width * header.height < 1 << 20 else { return }
                let (width, height) = (header.width.divided(by: reduction), header.height.divided(by: reduction))
                let window = try reader.start(
                    PictureWindow(reduction: reduction, columns: width / 4..<max(width * 3 / 4, 1)),
                    limits: ImageLimits(), keepsLibraryDecoder: byLibrary)
                outcome.isOurs = reader.hasOwnDecoder
                let stride = window.columns.count * 4
                var row = [UInt8](repeating: 0, count: stride)
                var all: [UInt8] = []
                try row.withUnsafeMutableBufferPointer { (row) throws(ImageError) in
                    try reader.skip(rowCount: height / 4)
                    for _ in height / 4..<max(height * 3 / 4, height / 4 + 1) {
                        try reader.read(into: row.baseAddress!, rowStride: stride, rowCount: 1)
                        // The fourth byte of a pixel has no meaning.
                        for index in 0..<stride where index % 4 != 3 { all.append(row[index]) }
                    }
                    try reader.finish(scratchRow: row.baseAddress!)
                }
                outcome.rows = all
            } catch { outcome.error = error }
        }
        return outcome
    }

    private static let baseline = ["420", "422", "440", "444", "rgb", "grayscale", "restart", "cmyk", "ycck", "tall"]

    private static let isKnown: ConditionTrait = .enabled(
        if: JPEGReader.knowsLibrary, "this version of libjpeg-turbo has not been checked: its own decoder reads all")

    @Test(isKnown, arguments: baseline) func readsEveryBaselinePicture(name: String) {
        let bytes = JPEGFixture(name).bytes
        #expect(read(bytes, byLibrary: false).isOurs == true)
        #expect(read(bytes, byLibrary: true).isOurs == false)
    }

    @Test(arguments: ["progressive", "progressive-grayscale", "arithmetic", "arithmetic-progressive"])
    func leavesOtherCodingsToLibjpeg(name: String) {
        #expect(read(JPEGFixture(name).bytes, byLibrary: false).isOurs == false)
    }

    /// A lossless scan has such a range, the place of its predictor; libjpeg only warns of it here.
    @Test(arguments: [0: 1, 1: 0, 2: 0x10]) func leavesScansOfOtherRangesToLibjpeg(place: Int, value: UInt8) {
        var bytes = JPEGFixture("420").bytes
        let scan = JPEGSegments(bytes).scanStart
        #expect(bytes[scan - 3..<scan] == [0, 63, 0])
        bytes[scan - 3 + place] = value
        let outcome = read(bytes, byLibrary: false)
        #expect(outcome.isOurs == false && outcome.error == nil)
    }

    @Test(isKnown, arguments: baseline, [1, 2, 4, 8]) func readsWhatLibjpegReads(name: String, reduction: Int) throws {
        let bytes = JPEGFixture(name).bytes
        let ours = read(bytes, reduction: reduction, byLibrary: false)
        #expect(try #require(ours.rows) == #require(read(bytes, reduction: reduction, byLibrary: true).rows))
        #expect(ours.isOurs == true)
    }

    /// libjpeg lets some codes pass that no table has; what is read here, it reads alike.
    @Test(isKnown, arguments: baseline, [1, 4]) func readsNothingElseOfDamagedPictures(name: String, reduction: Int) {
        let whole = JPEGFixture(name).bytes
        var readCount = 0
        for seed in 0..<300 as Range<UInt64> {
            var random = SplitMix64(seed: seed)
            var bytes = whole
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                bytes[Int.random(in: 2..<bytes.count, using: &random)] ^= 1 << UInt8.random(in: 0...7, using: &random)
            }
            let found = read(bytes, reduction: reduction, byLibrary: false)
            guard found.isOurs == true, let rows = found.rows else { continue }
            readCount += 1
            #expect(rows == read(bytes, reduction: reduction, byLibrary: true).rows, "seed \(seed)")
        }
        #expect(readCount > 50)
    }

    /// Scans as no encoder writes them: runs of zeros that lead beyond a block, blocks full to their last place, values and
    /// codes of all lengths, and a block's end anywhere among the bits that one look resolves.
    @Test(isKnown, arguments: ["grayscale", "420", "444"]) func readsRandomScansAsLibjpegDoes(name: String) {
        let fixture = JPEGFixture(name).bytes
        let header = fixture[..<JPEGSegments(fixture).scanStart]
        var readCount = 0
        for seed in 0..<100 as Range<UInt64> {
            var random = SplitMix64(seed: seed)
            var scan: [UInt8] = []
            while scan.count < 8192 {
                scan.append(UInt8.random(in: 0...255, using: &random))
                if scan.last == 0xFF { scan.append(0) }
            }
            let bytes = header + scan + [0xFF, 0xD9]
            let ours = read(Array(bytes), byLibrary: false)
            // A code that the DC table does not have.
            guard let rows = ours.rows else { continue }
            readCount += 1
            #expect(ours.isOurs == true)
            #expect(rows == read(Array(bytes), byLibrary: true).rows, "seed \(seed)")
        }
        #expect(readCount > 30)
    }

    /// libjpeg's fast path leaves coefficients behind that its slow one, which then reads them as a byte, does not clear.
    @Test(isKnown) func refusesFillBytesBeforeAStuffedZero() throws {
        var bytes = JPEGFixture("444").bytes
        let scan = JPEGSegments(bytes).scanStart
        let stuffed = try #require((scan..<bytes.count).first { bytes[$0] == 0xFF && bytes[$0 + 1] == 0 })
        bytes.insert(0xFF, at: stuffed)
        let ours = read(bytes, byLibrary: false)
        #expect(ours.isOurs == true && ours.error?.isDamage == true)
    }

    @Test(isKnown) func namesTheRestartMarkerThatItFound() throws {
        var bytes = JPEGFixture("restart").bytes
        let scan = JPEGSegments(bytes).scanStart
        let marker = try #require((scan..<bytes.count).first { bytes[$0] == 0xFF && bytes[$0 + 1] == 0xD0 })
        bytes[marker + 1] = 0xD5
        let ours = read(bytes, byLibrary: false)
        #expect(ours.isOurs == true)
        guard case .damaged(let reason, let offset) = ours.error else {
            Issue.record("\(String(describing: ours.error))")
            return
        }
        #expect(reason == "Corrupt JPEG data: found marker 0xd5 instead of RST0")
        #expect(offset == marker)
        #expect(read(bytes, byLibrary: true).error?.isDamage == true)
    }
}

extension Int {
    fileprivate func divided(by reduction: Int) -> Int { (self + reduction - 1) / reduction }
}
