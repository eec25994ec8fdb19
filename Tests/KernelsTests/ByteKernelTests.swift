import CKernels
import TestSupport
import Testing

@testable import Kernels

/// Kernels in bytes against plain loops, bit for bit, for every instruction set.
struct ByteKernelTests {
    /// To be deallocated: the rows keep no more than the pointer.
    static func offsets(_ count: Int, step: Int, stretch: Int = 0) -> UnsafePointer<UInt32> {
        let offsets = UnsafeMutablePointer<UInt32>.allocate(capacity: count)
        for index in 0..<count {
            let gaps = stretch == 0 ? 0 : index / stretch
            (offsets + index).initialize(to: UInt32((index + gaps) * step))
        }
        return UnsafePointer(offsets)
    }

    /// Bytes that end right before an unreadable page.
    static func guarded(_ bytes: [UInt8]) -> (memory: GuardedFloats, start: UnsafeMutablePointer<UInt8>) {
        let memory = GuardedFloats(count: (bytes.count + 3) / 4, repeating: 0)
        let end = UnsafeMutableRawPointer(memory.pointer + memory.count).assumingMemoryBound(to: UInt8.self)
        let start = end - (bytes.count + 3) / 4 * 4
        for (i, byte) in bytes.enumerated() { start[i] = byte }
        return (memory, start)
    }

    static func bytes(_ count: Int, _ random: inout SplitMix64) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
    }

    /// Any two of them obey |w| + |w'| ≤ 128, and some are as large as that allows.
    static func weights(_ count: Int, _ random: inout SplitMix64) -> [Int8] {
        (0..<count).map { i in
            if i % 7 == 0 { return Bool.random(using: &random) ? 64 : -64 }
            return Int8.random(in: -64...64, using: &random)
        }
    }

    static func epilogue(
        _ columns: Int, _ activation: KernelActivation, residual: Bool, _ random: inout SplitMix64
    ) -> ByteEpilogue {
        func values(_ range: ClosedRange<Float>) -> [Float] {
            (0..<columns).map { _ in Float.random(in: range, using: &random) }
        }
        let isSilu = activation == .silu
        return ByteEpilogue(
            offsets: (0..<columns).map { _ in Int32.random(in: -20_000...20_000, using: &random) },
            multipliers: values(0.0005...0.01), reciprocals: isSilu ? values(10...40) : [],
            addends: isSilu ? values(0...30) : [], residualMultipliers: residual ? values(0.25...1.5) : [],
            activation: activation)
    }

    private static func silu(_ x: Float) -> Float {
        let magnitude = abs(x)
        var q = magnitude * -0.000_152_038_96 + 0.002_747_561_8 as Float
        q = magnitude * q + -0.013_730_705
        q = magnitude * q + -0.057_421_733
        q = max(magnitude * q + 0.917_004_04, 0)
        q *= q
        q *= q
        return max(x, 0) - magnitude * (q * q)
    }

    private static func byte(_ sum: Int32, _ e: ByteEpilogue, _ column: Int, residual: UInt8? = nil) -> UInt8 {
        var value = Float(sum + e.offsets[column]) * e.multipliers[column]
        if e.activation == .silu {
            value = silu(value) * e.reciprocals[column]
            value += e.addends[column]
        }
        if let residual { value += Float(residual) * e.residualMultipliers[column] }
        return UInt8(max(0, min(255, value.rounded(.toNearestOrEven))))
    }

    struct Product: Sendable, CustomTestStringConvertible {
        var rows: Int
        var columns: Int
        var run: Int
        var taps = 1
        var activation = KernelActivation.none
        var hasResidual = false
        /// Rows that lie at equal distances, before a gap; all of them where 0.
        var stretch = 0
        var testDescription: String {
            "\(rows) rows by \(stretch), \(columns) columns, \(taps) taps of \(run), \(activation), "
                + "residual \(hasResidual)"
        }
    }

    /// Equal to, less than and greater than tiles and panels, and what is left over.
    static let products: [Product] =
        [1, 3, 4, 5, 8, 9, 12, 13, 16, 17, 49].map { Product(rows: $0, columns: 40, run: 24) }
        + [1, 4, 8, 16, 17, 32, 48, 64, 80, 100].map { Product(rows: 7, columns: $0, run: 16) }
        + [1, 2, 3, 4, 5, 9, 64].map { Product(rows: 6, columns: 24, run: $0) }
        + [
            Product(rows: 10, columns: 40, run: 9, taps: 3), Product(rows: 10, columns: 24, run: 8, taps: 9),
            Product(rows: 11, columns: 40, run: 24, hasResidual: true),
            Product(rows: 11, columns: 40, run: 24, activation: .silu),
            Product(rows: 11, columns: 40, run: 24, activation: .silu, hasResidual: true),
        ]
        // Deep enough for AMX: steps of 64 bytes, even ones of fewer, and such as leave a rest.
        + [64, 68, 80, 120, 128, 136, 200, 272].map { Product(rows: 21, columns: 40, run: $0) }
        + [1, 2, 15, 16, 17, 18, 19, 20, 31, 32, 33, 34, 47, 49].map { Product(rows: $0, columns: 56, run: 72) }
        + [16, 32, 33, 48].map { Product(rows: 18, columns: $0, run: 136) }
        + [1, 2, 5, 15, 16, 17, 20].map { Product(rows: 40, columns: 24, run: 80, stretch: $0) }
        + [
            Product(rows: 35, columns: 40, run: 24, taps: 9), Product(rows: 17, columns: 40, run: 68, taps: 9),
            Product(rows: 35, columns: 40, run: 136, hasResidual: true),
            Product(rows: 35, columns: 40, run: 96, hasResidual: true),
            Product(rows: 35, columns: 24, run: 96, activation: .silu),
            Product(rows: 34, columns: 40, run: 136, activation: .silu, hasResidual: true),
        ]

    @Test(arguments: products) func productsIntoPixelsColumnsAndFloats(_ p: Product) {
        for table in KernelTable.available {
            var random = SplitMix64(seed: 9)
            let pixelStride = (p.run + 3) / 4 * 4
            let places = p.rows + (p.stretch == 0 ? 0 : (p.rows - 1) / p.stretch)
            let input = Self.guarded(Self.bytes(p.taps * places * pixelStride, &random))
            let weights = Self.weights(p.columns * p.taps * p.run, &random)
            let epilogue = Self.epilogue(p.columns, p.activation, residual: p.hasResidual, &random)
            let matrix = PackedByteMatrix(
                table: table, columns: p.columns, taps: p.taps, run: p.run, weights: weights, epilogue: epilogue)
            let width = matrix.vectors * table.vectorWidth
            let residual = Self.guarded(Self.bytes(p.rows * width, &random))
            let offsets = Self.offsets(p.rows, step: pixelStride, stretch: p.stretch)
            defer { offsets.deallocate() }
            let taps = (0..<p.taps).map { UInt32($0 * places * pixelStride) }
            let results = Self.offsets(p.rows, step: width)
            defer { results.deallocate() }
            func sum(_ row: Int, _ column: Int) -> Int32 {
                var sum: Int32 = 0
                for tap in 0..<p.taps {
                    for k in 0..<p.run {
                        sum +=
                            Int32(input.start[tap * places * pixelStride + Int(offsets[row]) + k])
                            * Int32(weights[(column * p.taps + tap) * p.run + k])
                    }
                }
                return sum
            }

            let made = Self.guarded([UInt8](repeating: 0, count: p.rows * width))
            matrix.multiplyUnsafe(
                UnsafeByteRows(input.start, offsets), taps: taps, into: UnsafeByteResults(made.start, results),
                residual: p.hasResidual ? UnsafeByteResults(residual.start, results) : nil, rows: p.rows)
            for row in 0..<p.rows {
                for column in 0..<p.columns {
                    let at = row * width + column
                    let expected = Self.byte(
                        sum(row, column), epilogue, column, residual: p.hasResidual ? residual.start[at] : nil)
                    #expect(made.start[at] == expected, "\(table.isa) pixels \(row), \(column)")
                }
            }
            #expect(made.memory.frontIsIntact && input.memory.frontIsIntact)

            // Columns: groups of four rows, each lane four of them; what is missing is padding.
            guard p.stretch == 0 else { continue }
            let groups = (p.rows + 3) / 4
            let lanes = table.vectorWidth
            let columns = Self.guarded([UInt8](repeating: 0, count: matrix.vectors * groups * 4 * lanes))
            let row: [UnsafeMutablePointer<UInt8>?] = [columns.start]
            matrix.multiplyIntoColumnsUnsafe(
                input.start, rowPitch: 0, pixelStep: pixelStride, taps: taps, height: 1, width: p.rows, into: row,
                vectorPitch: groups * 4 * lanes, padding: 77)
            for x in 0..<4 * groups {
                for column in 0..<p.columns {
                    let at = ((column / lanes * groups + x / 4) * lanes + column % lanes) * 4 + x % 4
                    let expected = x < p.rows ? Self.byte(sum(x, column), epilogue, column) : 77
                    #expect(columns.start[at] == expected, "\(table.isa) columns \(x), \(column)")
                }
            }
            #expect(columns.memory.frontIsIntact)

            let floats = GuardedFloats(count: p.rows * width, repeating: .nan)
            matrix.multiplyUnsafe(
                UnsafeByteRows(input.start, offsets), taps: taps, into: UnsafeRows(floats.pointer, results),
                rows: p.rows
            )
            for row in 0..<p.rows {
                for column in 0..<p.columns {
                    let expected = Float(sum(row, column) + epilogue.offsets[column]) * epilogue.multipliers[column]
                    #expect(floats.pointer[row * width + column] == expected, "\(table.isa) floats \(row), \(column)")
                }
            }
        }
    }

    /// Tiles of columns end with their row, and the next begins in another.
    @Test(arguments: [3, 7, 14, 16, 17, 18, 33, 35], [20, 72, 136]) func columnsOfSeveralRows(width: Int, run: Int) {
        let (height, columns, gap) = (3, 40, 12)
        for table in KernelTable.available {
            var random = SplitMix64(seed: 13)
            let rowPitch = width * run + gap
            let input = Self.guarded(Self.bytes((height - 1) * rowPitch + width * run, &random))
            let weights = Self.weights(columns * run, &random)
            let epilogue = Self.epilogue(columns, .none, residual: false, &random)
            let matrix = PackedByteMatrix(
                table: table, columns: columns, taps: 1, run: run, weights: weights, epilogue: epilogue)
            let (groups, lanes) = ((width + 3) / 4, table.vectorWidth)
            let vectorPitch = groups * 4 * lanes
            let made = Self.guarded([UInt8](repeating: 0, count: height * matrix.vectors * vectorPitch))
            let rows = (0..<height).map { Optional(made.start + $0 * matrix.vectors * vectorPitch) }
            matrix.multiplyIntoColumnsUnsafe(
                input.start, rowPitch: rowPitch, pixelStep: run, taps: [0], height: height, width: width, into: rows,
                vectorPitch: vectorPitch, padding: 77)
            for y in 0..<height {
                for x in 0..<4 * groups {
                    for column in 0..<columns {
                        var sum: Int32 = 0
                        for k in 0..<run where x < width {
                            sum += Int32(input.start[y * rowPitch + x * run + k]) * Int32(weights[column * run + k])
                        }
                        let at = column / lanes * vectorPitch + (x / 4 * lanes + column % lanes) * 4 + x % 4
                        let expected = x < width ? Self.byte(sum, epilogue, column) : 77
                        #expect(rows[y]![at] == expected, "\(table.isa) row \(y), \(x), \(column)")
                    }
                }
            }
            #expect(made.memory.frontIsIntact)
        }
    }

    struct Depthwise: Sendable, CustomTestStringConvertible {
        var kernel: Int
        var stride: Int
        var left: Int
        var width: Int
        var channels: Int
        var activation = KernelActivation.none
        var testDescription: String {
            "\(kernel)x\(kernel) stride \(stride) left \(left), \(width) columns, \(channels) channels, \(activation)"
        }
    }

    static let depthwise: [Depthwise] = [(3, 1, 1), (3, 2, 0), (3, 2, 1), (5, 1, 2), (5, 2, 1), (5, 2, 2)].flatMap {
        (kernel, stride, left) in
        [1, 2, 3, 4, 5, 7, 8, 14, 17].map {
            Depthwise(kernel: kernel, stride: stride, left: left, width: $0, channels: 24)
        }
            + [4, 16, 33, 48].map {
                Depthwise(kernel: kernel, stride: stride, left: left, width: 6, channels: $0, activation: .silu)
            }
    }

    @Test(arguments: depthwise) func depthwiseRowsIntoBlocksAndSums(_ d: Depthwise) {
        for table in KernelTable.available {
            var random = SplitMix64(seed: 10)
            let lanes = table.vectorWidth
            let weights = Self.weights(d.channels * d.kernel * d.kernel, &random)
            let epilogue = Self.epilogue(d.channels, d.activation, residual: false, &random)
            let packed = PackedByteDepthwise(
                table: table, channels: d.channels, kernel: d.kernel, stride: d.stride, left: d.left,
                weights: weights, epilogue: epilogue)
            let outGroups = (d.width + 3) / 4
            let last = (outGroups - 1) * d.stride + (3 * d.stride - d.left + d.kernel - 1) / 4
            let groups = last + 2
            let rows = (0..<d.kernel).map { _ in
                Self.guarded(Self.bytes(packed.vectors * groups * 4 * lanes, &random))
            }
            let reached = rows.map { Optional(UnsafePointer($0.start + 4 * lanes)) }
            let blockColumns = table.blockColumns
            let blockPitch = packed.vectors * lanes * blockColumns
            let blocks = (d.width + blockColumns - 1) / blockColumns
            let out = Self.guarded([UInt8](repeating: 0, count: blocks * blockPitch))
            var sums = [Int32](repeating: 3, count: packed.vectors * lanes)
            packed.convolveRowUnsafe(
                reached, vectorPitch: groups * 4 * lanes, into: out.start, blockPitch: blockPitch, width: d.width,
                group: (0, packed.vectors), sums: &sums)
            for channel in 0..<d.channels {
                var total: Int32 = 3
                for x in 0..<d.width {
                    var sum: Int32 = 0
                    for ky in 0..<d.kernel {
                        for kx in 0..<d.kernel {
                            let column = x * d.stride - d.left + kx + 4  // a group lies before column 0
                            let at =
                                ((channel / lanes * groups + column / 4) * lanes + channel % lanes) * 4 + column % 4
                            sum +=
                                Int32(rows[ky].start[at])
                                * Int32(weights[(channel * d.kernel + ky) * d.kernel + kx])
                        }
                    }
                    let expected = Self.byte(sum, epilogue, channel)
                    total += Int32(expected)
                    let at =
                        x / blockColumns * blockPitch + (channel / 4 * blockColumns + x % blockColumns) * 4
                        + channel % 4
                    #expect(out.start[at] == expected, "\(table.isa) column \(x), channel \(channel)")
                }
                #expect(sums[channel] == total, "\(table.isa) sum of channel \(channel)")
            }
            #expect(out.memory.frontIsIntact)
        }
    }

    @Test(arguments: [1, 2, 3, 4, 7, 8, 9]) func pixelsBecomeColumnsSumsAndGatedBlocks(width: Int) {
        let channels = 48
        for table in KernelTable.available {
            var random = SplitMix64(seed: 11)
            let lanes = table.vectorWidth
            let vectors = table.vectors(for: channels)
            let groups = (width + 3) / 4
            let pixels = Self.guarded(Self.bytes(width * channels, &random))
            let columns = Self.guarded([UInt8](repeating: 0, count: vectors * groups * 4 * lanes))
            table.copyIntoColumnsUnsafe(
                pixels.start, pixelStride: channels, width: width, vectors: vectors, into: columns.start,
                vectorPitch: groups * 4 * lanes, padding: 9)
            var sums = [Int32](repeating: 1, count: channels)
            table.addPixelsUnsafe(pixels.start, pixelStride: channels, count: width, channels: channels, to: &sums)
            for c in 0..<channels {
                for x in 0..<4 * groups {
                    let at = ((c / lanes * groups + x / 4) * lanes + c % lanes) * 4 + x % 4
                    #expect(columns.start[at] == (x < width ? pixels.start[x * channels + c] : 9), "\(table.isa)")
                }
                #expect(sums[c] == (0..<width).reduce(1) { $0 + Int32(pixels.start[$1 * channels + c]) })
            }

            let blocks = Self.guarded(Self.bytes(groups * 4 * channels, &random))
            let blockCount = groups * 4 / table.blockColumns
            let gate = (0..<channels).map { _ in Float.random(in: 0...2, using: &random) }
            let gated = Self.guarded([UInt8](repeating: 0, count: groups * 4 * channels))
            table.gateBlocksUnsafe(
                blocks.start, count: blockCount, channels: channels, gate: gate, zeroPoint: 12, addend: 7,
                into: gated.start)
            for i in 0..<groups * 4 * channels {
                let blockColumns = table.blockColumns
                let channel = i % (blockColumns * channels) / (4 * blockColumns) * 4 + i % 4
                var value = Float(Int32(blocks.start[i]) - 12) * gate[channel]
                value += 7
                #expect(gated.start[i] == UInt8(max(0, min(255, value.rounded(.toNearestOrEven)))), "\(table.isa) \(i)")
            }
        }
    }

    @Test func denseRowsHaveTheSameBitsEverywhere() {
        var random = SplitMix64(seed: 12)
        let (depth, columns) = (37, 48)
        let input = random.floats(depth)
        let weights = random.floats(depth * columns)
        let bias = random.floats(columns)
        let expected = (0..<columns).map { column in
            var sum = bias[column]
            for k in 0..<depth {
                let product = input[k] * weights[k * columns + column]
                sum += product
            }
            return sum
        }
        for table in KernelTable.available {
            let out = GuardedFloats(count: columns, repeating: .nan)
            table.denseRowUnsafe(
                input, depth: depth, weights: weights, bias: bias, columns: columns, into: out.pointer)
            #expect(out.values == expected, "\(table.isa)")
        }
    }
}
