import CKernels
import TestSupport
import Testing

@testable import Kernels

struct DepthwiseCase: Sendable, CustomTestStringConvertible {
    var kernel: Int
    var stride: Int
    var width: Int
    var channels: Int
    var height = 1
    var activation: KernelActivation
    var testDescription: String { "\(kernel)x\(kernel) stride \(stride) \(width)x\(height) channels \(channels)" }

    static let all: [DepthwiseCase] = {
        var cases: [DepthwiseCase] = []
        for (kernel, stride) in [(3, 1), (3, 2), (5, 1), (5, 2), (7, 1), (1, 1), (4, 3)] {
            for width in [1, 2, 3, 4, 5, 6, 7, 8, 11, 14, 19] {
                cases.append(
                    .init(
                        kernel: kernel, stride: stride, width: width, channels: 24, activation: .relu6)
                )
            }
            for width in [3, 4, 5, 6, 7, 8, 10, 12, 13, 18] {
                cases.append(
                    .init(
                        kernel: kernel, stride: stride, width: width, channels: 20, height: 3, activation: .silu)
                )
            }
            for channels in [1, 4, 8, 16, 17, 48, 100] {
                cases.append(
                    .init(
                        kernel: kernel, stride: stride, width: 9, channels: channels, activation: .silu
                    ))
            }
        }
        for (kernel, stride) in [(3, 1), (3, 2), (5, 1), (5, 2), (7, 1)] {
            for height in [2, 3, 4, 7] {
                for activation in [KernelActivation.none, .relu6, .silu, .sigmoid] {
                    cases.append(
                        .init(
                            kernel: kernel, stride: stride, width: 12, channels: 20, height: height,
                            activation: activation))
                }
            }
        }
        return cases
    }()

    func run(_ table: KernelTable, seed: UInt64) -> (fast: [Float], exact: [Double], frontsIntact: Bool) {
        var random = SplitMix64(seed: seed)
        let inWidth = (width - 1) * stride + kernel
        let inHeight = (height - 1) * stride + kernel
        let input = random.floats(inHeight * inWidth * channels)
        let weights = random.floats(channels * kernel * kernel)
        let bias = random.floats(channels)
        let packed = PackedDepthwise(table: table, channels: channels, kernel: kernel, weights: weights, bias: bias)
        let columnStride = packed.vectors * table.vectorWidth
        let rows = (0..<inHeight).map { y in
            GuardedFloats(
                (0..<inWidth).flatMap { x in
                    (0..<columnStride).map { $0 < channels ? input[(y * inWidth + x) * channels + $0] : .nan }
                })
        }
        let output = GuardedFloats(count: height * width * columnStride, repeating: .nan)
        let pointers = rows.map { Optional(UnsafePointer($0.pointer)) }
        pointers.withUnsafeBufferPointer { pointers in
            var arguments = f32_depthwise(
                rows: pointers.baseAddress, column_stride: columnStride, weights: packed.block(at: 0),
                out: output.pointer, out_stride: columnStride, out_row_stride: width * columnStride, width: width,
                height: height, vectors: packed.vectors, kernel: kernel, stride: stride, activation: activation.raw)
            table.pointer.pointee.f32_depthwise(&arguments)
        }
        let fast = (0..<height * width).flatMap { x in (0..<channels).map { output.pointer[x * columnStride + $0] } }
        let exact = Reference.convolution(
            input: input, height: inHeight, width: inWidth, channels: channels, weights: weights, bias: bias,
            groups: channels, kernel: kernel, stride: stride, top: 0, left: 0, outHeight: height, outWidth: width,
            activation: activation)
        return (fast, exact, output.frontIsIntact && rows.allSatisfy(\.frontIsIntact))
    }
}

struct DepthwiseTests {
    @Test(arguments: DepthwiseCase.all) func agreesWithTheReference(_ depthwise: DepthwiseCase) {
        for table in KernelTable.available {
            let (fast, exact, frontsIntact) = depthwise.run(table, seed: 11)
            let worst = zip(fast, exact).map { abs(Double($0) - $1) }.max()!
            #expect(worst <= 5e-6, "\(table.isa)")
            #expect(!fast.contains { $0.isNaN }, "\(table.isa)")
            #expect(frontsIntact, "\(table.isa)")
        }
    }

    @Test(arguments: DepthwiseCase.all) func givesTheSameBitsOnEveryFusedISA(_ depthwise: DepthwiseCase) {
        let results = KernelTable.available.filter(\.isFused).map { depthwise.run($0, seed: 12).fast.map(\.bitPattern) }
        for other in results.dropFirst() { #expect(other == results[0]) }
    }
}
