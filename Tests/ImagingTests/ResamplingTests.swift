import CImageCodecs
import TestSupport
import Testing

@testable import Imaging

extension cic_isa: @retroactive CustomTestStringConvertible {
    public var testDescription: String { "ISA \(rawValue)" }
}

struct ResamplingTests {
    /// A resize of the whole picture, one output and one channel at a time.
    private func reference(
        _ source: [UInt8], sourceWidth: Int, columns: AxisTaps, rows: AxisTaps, blendsRowsFirst: Bool
    ) -> [UInt8] {
        func blend(_ taps: AxisTaps, _ output: Int, _ pixel: (Int) -> UInt8) -> UInt8 {
            var sum: Int64 = 1 << 21
            for tap in 0..<Int(taps.counts[output]) {
                let weight = taps.weights[output * taps.tapCount + tap]
                sum += Int64(weight) * Int64(pixel(Int(taps.first[output]) + tap))
            }
            return UInt8(min(max(sum >> 22, 0), 255))
        }
        let height = source.count / sourceWidth / 4
        let (outWidth, outHeight) = (columns.first.count, rows.first.count)
        var result = [UInt8](repeating: 0, count: outWidth * outHeight * 3)
        for channel in 0..<3 {
            func pixel(_ x: Int, _ y: Int) -> UInt8 { source[(y * sourceWidth + x) * 4 + channel] }
            if blendsRowsFirst {
                for y in 0..<outHeight {
                    let line = (0..<sourceWidth).map { x in blend(rows, y) { pixel(x, $0) } }
                    for x in 0..<outWidth { result[(y * outWidth + x) * 3 + channel] = blend(columns, x) { line[$0] } }
                }
            } else {
                let lines = (0..<height).map { y in (0..<outWidth).map { x in blend(columns, x) { pixel($0, y) } } }
                for y in 0..<outHeight {
                    for x in 0..<outWidth {
                        result[(y * outWidth + x) * 3 + channel] = blend(rows, y) { lines[$0][x] }
                    }
                }
            }
        }
        return result
    }

    private func randomAxis(_ random: inout SplitMix64) -> AxisTaps.Axis {
        let sourceLength = Int.random(in: 1...90, using: &random)
        let resizedLength = Int.random(in: 1...120, using: &random)
        let first = Int.random(in: 0..<resizedLength, using: &random)
        return AxisTaps.Axis(
            sourceLength: sourceLength,
            coveredLength: Float(sourceLength) - [0, 0.125, 0.5].randomElement(using: &random)!,
            resizedLength: resizedLength, kept: first..<Int.random(in: first + 1...resizedLength, using: &random),
            isMirrored: Bool.random(using: &random))
    }

    @Test(arguments: StreamingResampler.availableISAs, [false, true])
    func everyInstructionSetGivesTheReferencesBits(isa: cic_isa, blendsRowsFirst: Bool) {
        for seed in 0..<60 as Range<UInt64> {
            var random = SplitMix64(seed: seed)
            let (across, down) = (randomAxis(&random), randomAxis(&random))
            let filter = ResamplingFilter.allCases.randomElement(using: &random)!
            // Extreme pixels half the time, so that sums overshoot and clip.
            let isExtreme = Bool.random(using: &random)
            let source = (0..<across.sourceLength * down.sourceLength * 4).map { _ in
                isExtreme ? (Bool.random(using: &random) ? 255 : 0) : UInt8.random(in: 0...255, using: &random)
            }
            var (columns, rows) = (AxisTaps(), AxisTaps())
            columns.compute(across, filter: filter, tapMultiple: 1)
            rows.compute(down, filter: filter, tapMultiple: 1)
            let expected = reference(
                source, sourceWidth: across.sourceLength, columns: columns, rows: rows, blendsRowsFirst: blendsRowsFirst
            )

            var resampler = StreamingResampler(isa: isa)
            resampler.plan(columns: across, rows: down, blendsRowsFirst: blendsRowsFirst, filter: filter)
            let window = resampler.columns.sourceRange
            resampler.begin(window: window)
            let guardByte: UInt8 = 0xA5
            let stride = across.kept.count * 3 + 5
            var output = [UInt8](repeating: guardByte, count: down.kept.count * stride)
            for y in resampler.rows.sourceRange {
                let start = y * across.sourceLength
                let row = source[(start + window.lowerBound) * 4..<(start + window.upperBound) * 4]
                let padded = Array(row) + [UInt8](repeating: guardByte, count: resampler.rowSlack)
                resampler.push(padded, at: y, output: &output, outputStride: stride)
            }
            let rowsMade = (0..<down.kept.count).map { output[$0 * stride..<$0 * stride + stride] }
            #expect(rowsMade.flatMap { $0.dropLast(5) } == expected, "seed \(seed)")
            #expect(rowsMade.allSatisfy { $0.suffix(5).allSatisfy { $0 == guardByte } }, "seed \(seed)")
        }
    }

    @Test func everyMachineHasThePortableKernels() {
        #expect(StreamingResampler.availableISAs.first == CIC_ISA_PORTABLE)
    }

    @Test(arguments: ResamplingFilter.allCases) func weightsSumToOne(filter: ResamplingFilter) {
        for seed in 0..<50 as Range<UInt64> {
            var random = SplitMix64(seed: seed)
            var taps = AxisTaps()
            taps.compute(randomAxis(&random), filter: filter, tapMultiple: 4)
            #expect(taps.tapCount % 4 == 0)
            for output in taps.first.indices {
                let sum = taps.weights[output * taps.tapCount..<(output + 1) * taps.tapCount].reduce(0, +)
                #expect(abs(Int(sum) - 1 << 22) <= taps.tapCount, "seed \(seed)")
                // What kernels may rely on: a weight is three signed bytes.
                let weights = taps.weights[output * taps.tapCount..<(output + 1) * taps.tapCount]
                #expect(weights.allSatisfy { abs($0) < 3 << 21 }, "seed \(seed)")
            }
        }
    }

    @Test func mirroringTheAxisMirrorsTheTaps() {
        let axis = AxisTaps.Axis(
            sourceLength: 37, coveredLength: 37, resizedLength: 16, kept: 3..<11, isMirrored: false)
        var mirrored = axis
        mirrored.isMirrored = true
        var (straight, reversed) = (AxisTaps(), AxisTaps())
        straight.compute(axis, filter: .bicubic, tapMultiple: 1)
        reversed.compute(mirrored, filter: .bicubic, tapMultiple: 1)
        for output in straight.first.indices {
            #expect(reversed.end(of: output) == 37 - Int(straight.first[output]))
            let count = Int(straight.counts[output])
            let start = output * straight.tapCount
            #expect(
                straight.weights[start..<start + count].elementsEqual(
                    reversed.weights[start..<start + count].reversed()))
        }
    }
}
