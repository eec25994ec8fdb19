import CKernels
import TestSupport
import Testing

@testable import Kernels

struct ElementwiseTests {
    static let activations = [
        KernelActivation.none, KernelActivation.relu6, KernelActivation.silu, KernelActivation.sigmoid,
    ]

    @Test(arguments: activations) func activatesWithinTheStatedError(activation: KernelActivation) {
        let inputs: [Float] =
            (-1600..<1600).map { Float($0) / 16 } + [0, -0.0, 1e-30, -1e-30, 6, 87.5, -87.5, 3e38, -3e38]
        for table in KernelTable.available {
            let vectors = table.vectors(for: inputs.count)
            let padding = vectors * table.vectorWidth - inputs.count
            let data = GuardedFloats(inputs + [Float](repeating: 0, count: padding))
            table.pointer.pointee.f32_activate(data.pointer, vectors, activation.raw)
            for (i, x) in inputs.enumerated() {
                let exact = Reference.activate(Double(x), activation)
                // Beyond -87 the sigmoid is held at e^-87: absolutely tiny.
                let bound = max(abs(exact) * (abs(x) <= 20 ? 3e-7 : 5e-7), x < -80 ? Double(abs(x)) * 2e-38 + 1e-34 : 0)
                #expect(abs(Double(data.pointer[i]) - exact) <= bound, "\(table.isa) x \(x)")
            }
            #expect(data.frontIsIntact)
        }
    }

    @Test func givesTheSameBitsOnEveryFusedISA() {
        var random = SplitMix64(seed: 21)
        let inputs = random.floats(4096).map { $0 * 20 }
        for activation in Self.activations {
            let results = KernelTable.available.filter(\.isFused).map { table in
                let data = GuardedFloats(inputs)
                table.pointer.pointee.f32_activate(data.pointer, inputs.count / table.vectorWidth, activation.raw)
                return data.values.map(\.bitPattern)
            }
            for other in results.dropFirst() { #expect(other == results[0]) }
        }
    }

    @Test(arguments: [1, 2, 7, 49], [48, 112]) func sumsAndScalesColumns(width: Int, channels: Int) {
        var random = SplitMix64(seed: UInt64(width))
        let input = random.floats(width * channels)
        let gate = random.floats(channels)
        for table in KernelTable.available {
            let vectors = channels / table.vectorWidth
            let data = GuardedFloats(input)
            let sums = GuardedFloats(count: channels, repeating: 1)
            table.pointer.pointee.f32_column_sum(data.pointer, channels, width, vectors, sums.pointer)
            for c in 0..<channels {
                var expected: Float = 1
                for x in 0..<width { expected += input[x * channels + c] }
                #expect(sums.pointer[c] == expected)
            }
            let gates = GuardedFloats(gate)
            table.pointer.pointee.f32_column_scale(data.pointer, channels, width, vectors, gates.pointer, data.pointer)
            #expect(data.values == (0..<input.count).map { input[$0] * gate[$0 % channels] })
            #expect(data.frontIsIntact && sums.frontIsIntact)
        }
    }

    @Test(arguments: [1, 2, 5]) func scalesRows(vectors: Int) {
        var random = SplitMix64(seed: UInt64(vectors))
        for table in KernelTable.available {
            let width = vectors * table.vectorWidth
            let (input, factors) = (random.floats(7 * width), random.floats(7))
            let (data, factor) = (GuardedFloats(input), GuardedFloats(factors))
            let output = GuardedFloats(count: 7 * width, repeating: .nan)
            table.pointer.pointee.f32_row_scale(data.pointer, 7, vectors, factor.pointer, output.pointer)
            #expect(output.values == (0..<7 * width).map { input[$0] * factors[$0 / width] })
            #expect(output.frontIsIntact)
        }
    }

    @Test(arguments: [1, 2, 3, 5, 15, 16, 17, 224]) func normalisesPixels(width: Int) {
        var random = SplitMix64(seed: UInt64(width))
        let pixels = (0..<(3 * width)).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        let scale: [Float] = [1 / 128, 0.5, 2]
        let shift: [Float] = [-127 / 128, 0.25, -1]
        for table in KernelTable.available {
            let output = GuardedFloats(count: 3 * width, repeating: .nan)
            table.pointer.pointee.u8_normalise_rgb(pixels, width, scale, shift, output.pointer)
            for i in 0..<(3 * width) {
                #expect(abs(output.pointer[i] - (Float(pixels[i]) * scale[i % 3] + shift[i % 3])) <= 1e-4)
            }
            #expect(output.frontIsIntact)
        }
    }

    @Test func refusesAnInstructionSetThatDoesNotExist() {
        #expect(throws: KernelError.self) { try KernelTable.named("mmx") }
        #expect((try? KernelTable.named("portable"))?.isa == "portable")
    }
}
