import CKernels
import TestSupport
import Testing

@testable import Kernels

/// What is fetched ahead changes no bit and reads nothing, on whatever machine this runs.
///
/// Inputs, weights and results each end right before a page that cannot be read: to fetch from there is no fault, to
/// read is one.
struct FetchAheadTests {
    private static let rowCounts = [1, 3, 4, 5, 8, 12, 13, 16, 17, 49]
    private static let columnCounts = [1, 8, 16, 24, 33, 40, 48, 100]

    /// What a product may be told: nothing, to fetch panel by panel, and to go on with what lies behind the last.
    private static func orders(_ weights: GuardedFloats) -> [(fetches: Int32, next: UnsafeRawPointer?)] {
        [(0, nil), (1, nil), (1, UnsafeRawPointer(weights.pointer + weights.count))]
    }

    /// Packed weights, moved.
    private static func guarded(_ packed: some PackedPanels, bytes: Int) -> GuardedFloats {
        let memory = GuardedFloats(count: bytes / 4, repeating: 0)
        UnsafeMutableRawPointer(memory.pointer).copyMemory(from: packed.panel(startingAt: 0), byteCount: bytes)
        return memory
    }

    private static func offsets(_ count: Int, step: Int) -> [UInt32] { (0..<count).map { UInt32($0 * step) } }

    @Test(arguments: columnCounts) func floatsHaveTheSameBits(columns: Int) {
        let run = 37
        for table in KernelTable.available {
            var random = SplitMix64(seed: UInt64(columns))
            let packed = PackedMatrix(
                table: table, columns: columns, inputs: run, weights: random.floats(columns * run),
                bias: random.floats(columns))
            let weights = Self.guarded(packed, bytes: packed.bytes)
            let stride = packed.vectors * table.vectorWidth
            for rows in Self.rowCounts {
                let a = GuardedFloats(random.floats(rows * run))
                let results = Self.orders(weights).map { order in
                    let c = GuardedFloats(count: rows * stride, repeating: 0)
                    let (taps, offsets) = ([UInt32(0)], Self.offsets(rows, step: stride))
                    taps.withUnsafeBufferPointer { taps in
                        offsets.withUnsafeBufferPointer { offsets in
                            var arguments = f32_gemm()
                            arguments.a = UnsafePointer(a.pointer)
                            arguments.a_stride = run
                            arguments.tap_offset = taps.baseAddress
                            arguments.taps = 1
                            arguments.k = run
                            arguments.b = UnsafePointer(weights.pointer)
                            arguments.c = c.pointer
                            arguments.c_offset = offsets.baseAddress
                            arguments.m = rows
                            arguments.vectors = packed.vectors
                            arguments.activation = KERNEL_ACTIVATION_SILU
                            arguments.fetches_ahead = order.fetches
                            arguments.next = order.next
                            table.pointer.pointee.f32_gemm(&arguments)
                        }
                    }
                    #expect(c.frontIsIntact)
                    return c.values.map(\.bitPattern)
                }
                #expect(results[0].contains { $0 != 0 })
                #expect(results[1] == results[0] && results[2] == results[0], "\(table.isa), \(rows) rows")
            }
        }
    }

    /// Shallow products, and such as AMX makes, with a rest of their run.
    @Test(arguments: columnCounts, [22, 68].flatMap { run in [KernelActivation.none, .silu].map { (run, $0) } })
    func bytesHaveTheSameBits(columns: Int, product: (run: Int, activation: KernelActivation)) {
        let (run, activation) = product
        let tapCount = 2
        let pixel = (run + 3) / 4 * 4
        for table in KernelTable.available {
            var random = SplitMix64(seed: UInt64(columns))
            let packed = PackedByteMatrix(
                table: table, columns: columns, taps: tapCount, run: run,
                weights: ByteKernelTests.weights(columns * tapCount * run, &random),
                epilogue: ByteKernelTests.epilogue(columns, activation, residual: true, &random))
            let weights = Self.guarded(packed, bytes: packed.bytes)
            let (width, lanes) = (packed.vectors * table.vectorWidth, table.vectorWidth)
            for rows in Self.rowCounts {
                let input = ByteKernelTests.guarded(ByteKernelTests.bytes(tapCount * rows * pixel, &random))
                let residual = ByteKernelTests.guarded(ByteKernelTests.bytes(rows * width, &random))
                let groups = (rows + 3) / 4
                let results = Self.orders(weights).map { order in
                    let pixels = ByteKernelTests.guarded([UInt8](repeating: 0, count: rows * width))
                    let columns = ByteKernelTests.guarded(
                        [UInt8](repeating: 0, count: packed.vectors * groups * 4 * lanes))
                    let floats = GuardedFloats(count: rows * width, repeating: 0)
                    let taps = Self.offsets(tapCount, step: rows * pixel)
                    let (from, to) = (Self.offsets(rows, step: pixel), Self.offsets(rows, step: width))
                    let row: [UnsafeMutablePointer<UInt8>?] = [columns.start]
                    taps.withUnsafeBufferPointer { taps in
                        let product = u8_product(
                            a: input.start, tap_offset: taps.baseAddress, taps: tapCount, groups: packed.groups,
                            group_step: 4, b: weights.pointer, vectors: packed.vectors, activation: activation.raw,
                            fetches_ahead: order.fetches, next: order.next)
                        from.withUnsafeBufferPointer { from in
                            to.withUnsafeBufferPointer { to in
                                var intoPixels = u8_pixels(
                                    product: product, a_offset: from.baseAddress, out: pixels.start,
                                    out_offset: to.baseAddress, residual: residual.start,
                                    residual_offset: to.baseAddress, m: rows)
                                packed.table.bytes.pointee.gemm_pixels(&intoPixels)
                                var intoFloats = u8_floats(
                                    product: product, a_offset: from.baseAddress, out: floats.pointer,
                                    out_offset: to.baseAddress, m: rows)
                                packed.table.bytes.pointee.gemm_floats(&intoFloats)
                            }
                        }
                        row.withUnsafeBufferPointer { row in
                            var intoColumns = u8_columns(
                                product: product, height: 1, width: rows, a_row_pitch: 0, a_column_pitch: pixel,
                                out: row.baseAddress, vector_pitch: groups * 4 * lanes, padding: 9)
                            packed.table.bytes.pointee.gemm_columns(&intoColumns)
                        }
                    }
                    #expect(
                        pixels.memory.frontIsIntact && columns.memory.frontIsIntact && floats.frontIsIntact)
                    return [pixels.memory, columns.memory, floats].map { $0.values.map(\.bitPattern) }
                }
                // Of the floats none is saturated.
                #expect(results[0][2].contains { $0 != 0 })
                #expect(results[1] == results[0] && results[2] == results[0], "\(table.isa), \(rows) rows")
            }
        }
    }

    /// Whatever a machine gains by it, weights are packed alike, and groups of panels follow one another.
    @Test(arguments: [24, 40, 100, 200]) func groupsHaveTheSameBits(columns: Int) {
        let (rows, run) = (7, 64)
        for table in KernelTable.available {
            func product(most: Int, groupCount: Int) -> [[UInt32]] {
                var table = table
                table.mostBytesNotFetchedAhead = most
                var random = SplitMix64(seed: UInt64(columns))
                let floats = PackedMatrix(
                    table: table, columns: columns, inputs: run, weights: random.floats(columns * run),
                    bias: random.floats(columns))
                let bytes = PackedByteMatrix(
                    table: table, columns: columns, taps: 1, run: run,
                    weights: ByteKernelTests.weights(columns * run, &random),
                    epilogue: ByteKernelTests.epilogue(columns, .none, residual: false, &random))
                #expect(floats.fetchesAhead == (most == 0) && bytes.fetchesAhead == (most == 0))
                let (a, input) = (
                    GuardedFloats(random.floats(rows * run)),
                    ByteKernelTests.guarded(ByteKernelTests.bytes(rows * run, &random))
                )
                let stride = floats.vectors * table.vectorWidth
                let (made, pixels) = (
                    GuardedFloats(count: rows * stride, repeating: 0),
                    ByteKernelTests.guarded([UInt8](repeating: 0, count: rows * stride))
                )
                let (from, to) = (Self.offsets(rows, step: run), Self.offsets(rows, step: stride))
                from.withUnsafeBufferPointer { from in
                    to.withUnsafeBufferPointer { to in
                        let (from, to) = (from.baseAddress!, to.baseAddress!)
                        for group in floats.groups(atMost: groupCount) {
                            floats.multiplyUnsafe(
                                UnsafeStridedRows(a.pointer, stride: run),
                                // The one at 0.
                                taps: UnsafeTaps(offsets: from, count: 1, run: run),
                                into: UnsafeRows(made.pointer + group.first * table.vectorWidth, to), rows: rows,
                                group: group, activation: .relu6)
                        }
                        for group in bytes.groups(atMost: groupCount) {
                            bytes.multiplyUnsafe(
                                UnsafeByteRows(input.start, from), taps: from,
                                into: UnsafeByteResults(pixels.start + group.first * table.vectorWidth, to),
                                rows: rows, group: group)
                        }
                    }
                }
                return [made.values.map(\.bitPattern), pixels.memory.values.map(\.bitPattern)]
            }
            let expected = product(most: .max, groupCount: 1)
            for groupCount in [1, 2, 3, 100] {
                #expect(product(most: 0, groupCount: groupCount) == expected, "\(table.isa), \(groupCount) groups")
            }
        }
    }

    /// The address at which a group's product goes on.
    @Test func behindAGroupLiesTheNext() {
        for table in KernelTable.available {
            let packed = PackedMatrix(
                table: table, columns: 100, inputs: 3, weights: .init(repeating: 1, count: 300),
                bias: .init(repeating: 0, count: 100))
            let groups = packed.groups(atMost: 3)
            for (group, next) in zip(groups, groups.dropFirst()) {
                #expect(packed.following(group) == UnsafeRawPointer(packed.panel(startingAt: next.first)))
            }
            #expect(packed.following(groups.last) == nil && packed.following(nil) == nil)
        }
    }
}
