import CKernels
import TestSupport
import Testing

@testable import Kernels

/// Both transforms on their own, of numbers whose sums are exact.
struct WinogradTransformTests {
    /// Multiples of 2⁻¹⁰ in [-1, 1): sums of a few of them need no rounding.
    private static func coarse(_ count: Int, _ random: inout SplitMix64) -> [Float] {
        (0..<count).map { _ in Float(Int.random(in: -1024..<1024, using: &random)) / 1024 }
    }

    struct Shape: Sendable, CustomTestStringConvertible {
        var width: Int
        var channels: Int
        var testDescription: String { "\(width) columns, \(channels) channels" }
        var tiles: Int { (width + 1) / 2 }
    }

    static let shapes =
        (1...9).map { Shape(width: $0, channels: 24) } + [1, 4, 16, 17, 48].map { Shape(width: 5, channels: $0) }

    @Test(arguments: shapes) func inputTilesAreTheReferences(_ shape: Shape) {
        for table in KernelTable.available {
            var random = SplitMix64(seed: 21)
            let vectors = table.vectors(for: shape.channels)
            let stride = vectors * table.vectorWidth
            let rows = (0..<4).map { _ in GuardedFloats(Self.coarse(shape.width * stride, &random)) }
            let positionStride = shape.tiles * stride + 16
            let out = GuardedFloats(count: 15 * positionStride + shape.tiles * stride, repeating: .nan)
            let pointers = rows.map { Optional(UnsafePointer($0.pointer)) }
            pointers.withUnsafeBufferPointer { pointers in
                var arguments = f32_winograd_input(
                    rows: pointers.baseAddress, column_stride: stride, width: shape.width, out: out.pointer,
                    position_stride: positionStride, tile_stride: stride, tiles: shape.tiles, vectors: vectors)
                table.pointer.pointee.f32_winograd_input(&arguments)
            }
            for tile in 0..<shape.tiles {
                for channel in 0..<shape.channels {
                    let d = (0..<16).map { i in
                        let column = 2 * tile + i % 4 - 1
                        let isInside = column >= 0 && column < shape.width
                        return isInside ? Double(rows[i / 4].pointer[column * stride + channel]) : 0
                    }
                    let found = (0..<16).map { Double(out.pointer[$0 * positionStride + tile * stride + channel]) }
                    #expect(found == Reference.winogradInput(d), "\(table.isa), tile \(tile), channel \(channel)")
                }
            }
            #expect(out.frontIsIntact && rows.allSatisfy(\.frontIsIntact))
            for position in 0..<15 {
                #expect(out.pointer[position * positionStride + shape.tiles * stride].isNaN, "\(table.isa)")
            }
        }
    }

    @Test(arguments: shapes, [1, 2]) func outputsAreTheReferences(_ shape: Shape, height: Int) {
        for table in KernelTable.available {
            for activation in [KernelActivation.none, .relu6, .silu] {
                for hasResidual in [false, true] {
                    var random = SplitMix64(seed: 22)
                    let vectors = table.vectors(for: shape.channels)
                    let stride = vectors * table.vectorWidth
                    let positionStride = shape.tiles * stride + 16
                    let products = GuardedFloats(Self.coarse(15 * positionStride + shape.tiles * stride, &random))
                    let residual = GuardedFloats(Self.coarse(height * shape.width * stride, &random))
                    let out = GuardedFloats(count: height * shape.width * stride, repeating: .nan)
                    var arguments = f32_winograd_output(
                        in: products.pointer, position_stride: positionStride, tile_stride: stride, out: out.pointer,
                        residual: hasResidual ? residual.pointer : nil, out_stride: stride,
                        out_row_stride: shape.width * stride, width: shape.width, height: height, vectors: vectors,
                        activation: activation.raw)
                    table.pointer.pointee.f32_winograd_output(&arguments)
                    let bound = activation == .silu ? 2e-6 : 0
                    for i in 0..<height * shape.width * stride where i % stride < shape.channels {
                        let (y, x, channel) = (i / stride / shape.width, i / stride % shape.width, i % stride)
                        let m = (0..<16).map {
                            Double(products.pointer[$0 * positionStride + x / 2 * stride + channel])
                        }
                        let sum = Reference.winogradOutput(m)[2 * y + x % 2]
                        let exact =
                            Reference.activate(sum, activation) + (hasResidual ? Double(residual.pointer[i]) : 0)
                        #expect(abs(Double(out.pointer[i]) - exact) <= bound, "\(table.isa) \(activation) \(y), \(x)")
                    }
                    #expect(out.frontIsIntact && products.frontIsIntact && residual.frontIsIntact)
                }
            }
        }
    }
}

struct WinogradCase: Sendable, CustomTestStringConvertible {
    var height: Int
    var width: Int
    var inputs: Int
    var outputs: Int
    var activation = KernelActivation.none
    var hasResidual = false
    var testDescription: String {
        "\(inputs)→\(outputs) \(height)×\(width) \(activation) residual \(hasResidual)"
    }

    /// Pictures of one tile and less, odd and even ones; channels at the edges of vectors and panels.
    static let all: [WinogradCase] = {
        var cases: [WinogradCase] = []
        for (height, width) in [(1, 1), (1, 2), (2, 1), (2, 2), (3, 3), (4, 7), (5, 8), (7, 4), (6, 33)] {
            cases.append(.init(height: height, width: width, inputs: 24, outputs: 24, activation: .silu))
            cases.append(.init(height: height, width: width, inputs: 7, outputs: 20, hasResidual: true))
        }
        for channels in [1, 4, 8, 15, 16, 17, 31, 32, 33, 48, 49, 80] {
            cases.append(.init(height: 5, width: 6, inputs: channels, outputs: 17, activation: .relu6))
            cases.append(.init(height: 5, width: 6, inputs: 9, outputs: channels, activation: .silu, hasResidual: true))
        }
        cases.append(.init(height: 4, width: 5, inputs: 130, outputs: 40, activation: .silu))
        return cases
    }()

    /// Convolves `rowsAtOnce` rows at a time; lanes past the channels are no numbers.
    func run(
        _ table: KernelTable, seed: UInt64, rowsAtOnce: Int
    ) -> (fast: [Float], exact: [Double], frontsIntact: Bool) {
        var random = SplitMix64(seed: seed)
        let input = random.floats(height * width * inputs)
        let weights = random.floats(outputs * inputs * 9)
        let bias = random.floats(outputs)
        let skip = hasResidual ? random.floats(height * width * outputs) : nil
        let packed = PackedWinograd(table: table, columns: outputs, inputs: inputs, weights: weights, bias: bias)
        func spread(_ values: [Float], channels: Int) -> (memory: GuardedFloats, stride: Int) {
            let stride = table.vectors(for: channels) * table.vectorWidth
            let lanes = (0..<height * width).flatMap { pixel in
                (0..<stride).map { $0 < channels ? values[pixel * channels + $0] : .nan }
            }
            return (GuardedFloats(lanes), stride)
        }
        let (source, stride) = spread(input, channels: inputs)
        let residual = skip.map { spread($0, channels: outputs).memory }
        let outStride = table.vectors(for: outputs) * table.vectorWidth
        let output = GuardedFloats(count: height * width * outStride, repeating: .nan)
        let zeros = GuardedFloats(count: width * stride, repeating: 0)
        var areIntact = true
        for first in Swift.stride(from: 0, to: height, by: rowsAtOnce) {
            let count = min(rowsAtOnce, height - first)
            let scratch = GuardedFloats(count: packed.scratchSize(height: count, width: width), repeating: .nan)
            let rows = (0..<(count + 1) / 2 * 2 + 2).map { row -> UnsafePointer<Float>? in
                let y = first + row - 1
                return UnsafePointer(y >= 0 && y < height ? source.pointer + y * width * stride : zeros.pointer)
            }
            let at = first * width * outStride
            rows.withUnsafeBufferPointer { rows in
                packed.convolveRowsUnsafe(
                    rows.baseAddress!, columnStride: stride, into: output.pointer + at,
                    residual: residual.map { UnsafePointer($0.pointer + at) }, outStride: outStride,
                    outRowStride: width * outStride, width: width, height: count, activation: activation,
                    scratch: scratch.pointer)
            }
            areIntact = areIntact && scratch.frontIsIntact
        }
        let fast = (0..<height * width).flatMap { x in (0..<outputs).map { output.pointer[x * outStride + $0] } }
        var exact = Reference.convolution(
            input: input, height: height, width: width, channels: inputs, weights: weights, bias: bias, groups: 1,
            kernel: 3, stride: 1, top: 1, left: 1, outHeight: height, outWidth: width, activation: activation)
        if let skip { for (i, value) in skip.enumerated() { exact[i] += Double(value) } }
        areIntact = areIntact && output.frontIsIntact && source.frontIsIntact
        return (fast, exact, areIntact)
    }
}

struct WinogradTests {
    /// Numerics: the error of sums of 9 · inputs products of numbers in [-1, 1) grows with the square root.
    @Test(arguments: WinogradCase.all) func agreesWithTheDirectConvolution(_ winograd: WinogradCase) {
        for table in KernelTable.available {
            let (fast, exact, frontsIntact) = winograd.run(table, seed: 31, rowsAtOnce: 4)
            let worst = zip(fast, exact).map { abs(Double($0) - $1) }.max()!
            #expect(worst <= 2e-6 * (4 + Double(winograd.inputs).squareRoot()), "\(table.isa)")
            #expect(!fast.contains { $0.isNaN }, "\(table.isa)")
            #expect(frontsIntact, "\(table.isa)")
        }
    }

    @Test(arguments: WinogradCase.all) func givesTheSameBitsOnEveryFusedISAHoweverRowsAreCut(_ winograd: WinogradCase) {
        var results: [[UInt32]] = []
        for table in KernelTable.available.filter(\.isFused) {
            for rowsAtOnce in [2, 4, 100] {
                results.append(winograd.run(table, seed: 32, rowsAtOnce: rowsAtOnce).fast.map(\.bitPattern))
            }
        }
        for other in results.dropFirst() { #expect(other == results[0]) }
    }

    @Test func weightsTakeSixteenNinths() {
        let table = KernelTable.fastest
        let (inputs, columns) = (96, 2 * table.vectorWidth)
        let packed = PackedWinograd(
            table: table, columns: columns, inputs: inputs, weights: .init(repeating: 1, count: 9 * inputs * columns),
            bias: .init(repeating: 0, count: columns))
        #expect(packed.bytes == 4 * 16 * (inputs + 1) * columns)
    }
}
