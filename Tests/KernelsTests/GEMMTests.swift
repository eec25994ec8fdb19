import CKernels
import TestSupport
import Testing

@testable import Kernels

struct GEMMCase: Sendable, CustomTestStringConvertible {
    var m: Int
    var n: Int
    var run: Int
    var taps: Int
    var activation: KernelActivation
    var residual: Bool
    var testDescription: String { "\(m)x\(n)x\(run)·\(taps) \(activation) residual \(residual)" }

    /// Every tile height and panel width at its edges, short and long sums, several taps.
    static let all: [GEMMCase] = {
        var cases: [GEMMCase] = []
        for m in 1...30 {
            cases.append(.init(m: m, n: 24, run: 9, taps: 1, activation: .none, residual: false))
        }
        for n in [1, 4, 5, 8, 12, 15, 16, 17, 31, 32, 33, 40, 47, 48, 49, 64, 65, 80, 100] {
            cases.append(.init(m: 15, n: n, run: 7, taps: 1, activation: .relu6, residual: true))
        }
        for m in 1...9 {
            for n in [16, 24, 32, 40, 48] {
                cases.append(.init(m: m, n: n, run: 5, taps: 1, activation: .silu, residual: m % 2 == 0))
            }
        }
        for run in [1, 2, 3, 4, 5, 8, 27, 130] {
            cases.append(.init(m: 13, n: 33, run: run, taps: 1, activation: .silu, residual: false))
            cases.append(.init(m: 5, n: 20, run: run, taps: 3, activation: .sigmoid, residual: true))
        }
        return cases
    }()

    /// `[n][taps][run]` to the `[n][run][taps]` that packing takes.
    private func transposed(_ b: [Float]) -> [Float] {
        var result: [Float] = []
        for j in 0..<n {
            for i in 0..<run {
                for t in 0..<taps { result.append(b[(j * taps + t) * run + i]) }
            }
        }
        return result
    }

    /// Runs the kernel of `table` on inputs drawn from `seed`; rows of a and c are spread over the memory by offsets.
    func run(
        _ table: KernelTable, seed: UInt64, tile: GEMMTile = .standard
    ) -> (fast: [Float], exact: [Double], frontsIntact: Bool) {
        var random = SplitMix64(seed: seed)
        let depth = run * taps
        let a = random.floats(m * depth)
        let b = random.floats(n * depth)
        let bias = random.floats(n)
        let skip = residual ? random.floats(m * n) : nil
        let packed = PackedMatrix(
            table: table, columns: n, inputs: run, taps: taps, weights: transposed(b), bias: bias, tile: tile)
        let stride = packed.vectors * table.vectorWidth
        // a's taps are stored apart: tap t of row i at (t · m + i) · run.
        let memory = GuardedFloats(
            (0..<taps).flatMap { t in (0..<m).flatMap { i in (0..<run).map { a[i * depth + t * run + $0] } } })
        let output = GuardedFloats(count: m * stride, repeating: .nan)
        let residualMemory = GuardedFloats(
            (0..<m).flatMap { i in (0..<stride).map { j in skip.map { j < n ? $0[i * n + j] : 0 } ?? 0 } })
        let tapOffsets = (0..<taps).map { UInt32($0 * m * run) }
        let cOffsets = (0..<m).map { UInt32((m - 1 - $0) * stride) }  // backwards
        let residualOffsets = (0..<m).map { UInt32($0 * stride) }
        tapOffsets.withUnsafeBufferPointer { tapOffsets in
            cOffsets.withUnsafeBufferPointer { cOffsets in
                residualOffsets.withUnsafeBufferPointer { residualOffsets in
                    var arguments = f32_gemm(
                        a: memory.pointer, a_stride: run, tap_offset: tapOffsets.baseAddress, taps: taps, k: run,
                        b: packed.panel(startingAt: 0), c: output.pointer, c_offset: cOffsets.baseAddress,
                        residual: skip == nil ? nil : residualMemory.pointer,
                        residual_offset: residualOffsets.baseAddress, m: m, vectors: packed.vectors,
                        ends_in_half: packed.endsInHalf(nil) ? 1 : 0,
                        activation: activation.raw, panel_vectors: tile.panelVectors, tile_rows: tile.rows,
                        // No memory of ours: what is fetched ahead need not be.
                        fetches_ahead: 1, next: UnsafeRawPointer(bitPattern: 64))
                    table.pointer.pointee.f32_gemm(&arguments)
                }
            }
        }
        let fast = (0..<m).flatMap { i in (0..<n).map { output.pointer[(m - 1 - i) * stride + $0] } }
        let exact = Reference.matrixProduct(
            a: a, b: b, bias: bias, residual: skip, m: m, n: n, k: depth, activation: activation)
        return (fast, exact, memory.frontIsIntact && output.frontIsIntact && residualMemory.frontIsIntact)
    }
}

struct GEMMTests {
    @Test(arguments: GEMMCase.all) func agreesWithTheReference(_ gemm: GEMMCase) {
        for table in KernelTable.available {
            let (fast, exact, frontsIntact) = gemm.run(table, seed: 1)
            let bound = 1e-6 * Double(gemm.run * gemm.taps + 8)
            let worst = zip(fast, exact).map { abs(Double($0) - $1) }.max()!
            #expect(worst <= bound, "\(table.isa)")
            #expect(!fast.contains { $0.isNaN }, "\(table.isa)")
            #expect(frontsIntact, "\(table.isa)")
        }
    }

    @Test(arguments: GEMMCase.all) func givesTheSameBitsOnEveryFusedISA(_ gemm: GEMMCase) {
        let results = KernelTable.available.filter(\.isFused).map { gemm.run($0, seed: 2).fast.map(\.bitPattern) }
        for other in results.dropFirst() { #expect(other == results[0]) }
    }

    @Test(arguments: GEMMCase.all.filter { $0.m > 12 }) func givesTheSameBitsWithEveryChoiceOfTile(_ gemm: GEMMCase) {
        for table in KernelTable.available {
            let expected = gemm.run(table, seed: 4).fast.map(\.bitPattern)
            for tile in table.tiles {
                let found = gemm.run(table, seed: 4, tile: tile).fast.map(\.bitPattern)
                #expect(found == expected, "\(table.isa) \(tile)")
            }
        }
    }

    @Test func givesARowTheSameBitsInEveryTile() {
        // Row 0 alone, and as one of up to 30 rows: the inputs are drawn row by row, so row 0 is always the same.
        for table in KernelTable.available {
            var random = SplitMix64(seed: 3)
            let (n, k) = (40, 33)
            let b = random.floats(n * k)
            let packed = PackedMatrix(
                table: table, columns: n, inputs: k, weights: b, bias: random.floats(n))
            let stride = packed.vectors * table.vectorWidth
            let a = random.floats(30 * k)
            var first: [UInt32]?
            for m in 1...30 {
                var c = [Float](repeating: 0, count: m * stride)
                let cOffsets = (0..<m).map { UInt32($0 * stride) }
                let tap: [UInt32] = [0]
                var arguments = f32_gemm()
                a.withUnsafeBufferPointer { a in
                    cOffsets.withUnsafeBufferPointer { cOffsets in
                        tap.withUnsafeBufferPointer { tap in
                            c.withUnsafeMutableBufferPointer { c in
                                arguments.a = a.baseAddress
                                arguments.a_stride = k
                                arguments.tap_offset = tap.baseAddress
                                arguments.taps = 1
                                arguments.k = k
                                arguments.b = packed.panel(startingAt: 0)
                                arguments.c = c.baseAddress
                                arguments.c_offset = cOffsets.baseAddress
                                arguments.m = m
                                arguments.vectors = packed.vectors
                                arguments.fetches_ahead = m % 3 == 0 ? 1 : 0
                                arguments.next = UnsafeRawPointer(packed.panel(startingAt: 0))
                                arguments.ends_in_half = m % 2 == 0 && packed.endsInHalf(nil) ? 1 : 0
                                table.pointer.pointee.f32_gemm(&arguments)
                            }
                        }
                    }
                }
                let row = c.prefix(n).map(\.bitPattern)
                if let first { #expect(row == first, "\(table.isa) m \(m)") } else { first = row }
            }
        }
    }

    /// A copy of the matrix with gates in its weights has, bit for bit, the packing of such weights.
    @Test(arguments: [1, 20, 33, 48, 100]) func gatesTheWeightsOfEveryColumn(columns: Int) {
        let inputs = 7
        for table in KernelTable.available {
            var random = SplitMix64(seed: UInt64(columns))
            let (weights, bias, gate) = (random.floats(columns * inputs), random.floats(columns), random.floats(inputs))
            let plain = PackedMatrix(table: table, columns: columns, inputs: inputs, weights: weights, bias: bias)
            let expected = PackedMatrix(
                table: table, columns: columns, inputs: inputs,
                weights: weights.enumerated().map { $1 * gate[$0 % inputs] }, bias: bias)
            let gated = GuardedFloats(count: plain.packedCount, repeating: .nan)
            plain.gateUnsafe(by: gate, into: gated.pointer)
            let packed = expected.panel(startingAt: 0)
            #expect(gated.values == (0..<plain.packedCount).map { packed[$0] }, "\(table.isa)")
            #expect(gated.frontIsIntact)
        }
    }

    /// A group that ends before the last vector is computed whole, whatever the matrix ends in.
    @Test(arguments: [24, 56, 72, 88, 120]) func makesEveryGroupAsTheWholeDoes(columns: Int) {
        let (rows, inputs) = (17, 9)
        for table in KernelTable.available {
            var random = SplitMix64(seed: UInt64(columns))
            let input = random.floats(rows * inputs)
            let packed = PackedMatrix(
                table: table, columns: columns, inputs: inputs, weights: random.floats(columns * inputs),
                bias: random.floats(columns))
            let stride = packed.vectors * table.vectorWidth
            func product(_ groups: [(first: Int, vectors: Int)]) -> [UInt32] {
                let a = GuardedFloats(input)
                let c = GuardedFloats(count: rows * stride, repeating: .nan)
                let offsets = (0..<rows).map { UInt32($0 * stride) }
                offsets.withUnsafeBufferPointer { offsets in
                    for group in groups {
                        packed.multiplyUnsafe(
                            UnsafeStridedRows(a.pointer, stride: inputs),
                            taps: UnsafeTaps(offsets: offsets.baseAddress!, count: 1, run: inputs),
                            into: UnsafeRows(c.pointer + group.first * table.vectorWidth, offsets.baseAddress!),
                            rows: rows, group: group, activation: .relu6)
                    }
                }
                return (0..<rows).flatMap { row in (0..<columns).map { c.pointer[row * stride + $0].bitPattern } }
            }
            let whole = product([(0, packed.vectors)])
            #expect(!whole.contains { Float(bitPattern: $0).isNaN }, "\(table.isa)")
            for count in [2, 3, 100] {
                #expect(product(packed.groups(atMost: count)) == whole, "\(table.isa) \(count)")
            }
        }
    }

    @Test(arguments: [1, 2, 3, 5, 100]) func groupsCoverEveryColumnOnce(count: Int) {
        for table in KernelTable.available {
            for columns in [1, 8, 24, 40, 112, 1000] {
                let packed = PackedMatrix(
                    table: table, columns: columns, inputs: 1, weights: .init(repeating: 1, count: columns),
                    bias: .init(repeating: 0, count: columns))
                let groups = packed.groups(atMost: count)
                #expect(groups.count <= count)
                #expect(groups[0].first == 0)
                for (a, b) in zip(groups, groups.dropFirst()) { #expect(a.first + a.vectors == b.first) }
                #expect(groups.last.map { $0.first + $0.vectors } == packed.vectors)
            }
        }
    }
}
