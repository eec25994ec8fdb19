import Kernels
import TestSupport
import Testing

@testable import Inference

struct RequantizationTests {
    /// A layer of one output and one input, 1×1.
    private func layer(
        weight: Int8 = 2, scale: Float = 0.5, bias: Float = 0, activation: KernelActivation = .none,
        output: AffineQuantization? = AffineQuantization(scales: [0.25], zeroPoint: 10)
    ) -> QuantizedLayer {
        QuantizedLayer(
            inputs: 1, outputs: 1, kernel: 1, stride: 1, weights: [weight], scales: [scale], bias: [bias],
            activation: activation, output: output)
    }

    private func requantization(
        _ layer: QuantizedLayer, zeroPoint: Double = 3, residual: AffineQuantization? = nil
    ) throws(InferenceError) -> Requantization {
        try Requantization(
            layer, name: "L", inputZeroPoints: [zeroPoint], isDepthwise: false, residual: residual)
    }

    @Test func offsetsHoldBiasAndBothZeroPoints() throws {
        let requantization = try requantization(layer(bias: 1.5))
        // (1.5 + 10 · 0.25) / 0.5 - 3 · 2
        #expect(requantization.offsets == [2])
        #expect(requantization.multipliers == [2])
        // q = 7: real = 0.5 · (7 - 3) · 2 + 1.5 = 5.5, in steps of 0.25 and from 10 on: 32.
        #expect(requantization.byte(14, output: 0) == 32)
    }

    @Test func cutsOffAtBothEnds() throws {
        let requantization = try requantization(layer())
        #expect(requantization.byte(-1000, output: 0) == 0)
        #expect(requantization.byte(1000, output: 0) == 255)
    }

    @Test(
        arguments: [
            (-0.5, 0), (0.5, 0), (1.5, 2), (2.5, 2), (2.500001, 3), (254.5, 254), (255.5, 255), (1e9, 255), (-1e9, 0),
        ] as [(Float, UInt8)]) func roundsHalvesToEven(value: Float, byte: UInt8)
    {
        #expect(quantizedByte(value) == byte)
    }

    @Test func addsAResidualInRealUnits() throws {
        let residual = AffineQuantization(scales: [0.5], zeroPoint: 100)
        let requantization = try requantization(layer(), residual: residual)
        for (q, r) in [(7, 110), (3, 100), (0, 90)] as [(Int32, UInt8)] {
            let real: Double = Double(q - 3) + 0.5 * (Double(r) - 100)
            let steps: Double = (real / 0.25 + 10).rounded(.toNearestOrEven)
            let expected = UInt8(max(0, min(255, steps)))
            #expect(requantization.byte(q * 2, output: 0, residual: r) == expected)
        }
    }

    @Test func leavesLogitsInRealUnits() throws {
        let requantization = try requantization(layer(bias: 1, output: nil))
        // 0.5 · (7 - 3) · 2 + 1
        let real: Float = requantization.real(14, output: 0)
        #expect(real == 5)
    }

    @Test func refusesSumsThatDoNotFit() {
        #expect(throws: InferenceError.self) { try requantization(layer(scale: 1e-6, bias: 1e6)) }
        #expect(throws: InferenceError.self) {
            try requantization(layer(output: AffineQuantization(scales: [1e-35], zeroPoint: 0)))
        }
    }

    @Test func siluIsNearAndExactFarOut() {
        var worst = 0.0
        for step in -200_000...200_000 {
            let x = Float(step) / 5000
            let exact = Reference.activate(Double(x), .silu)
            worst = max(worst, abs(Double(quantizedSilu(x)) - exact))
            #expect(abs(Double(quantizedSigmoid(x)) - Reference.activate(Double(x), .sigmoid)) < 7e-4)
        }
        #expect(worst < 7e-4, "\(worst)")
        #expect(quantizedSilu(12) == 12)
        #expect(quantizedSilu(-12) == 0)
        #expect(quantizedSilu(0) == 0)
        #expect(quantizedSilu(1e20) == 1e20)
        #expect(quantizedSilu(-1e20) == 0)
    }

    @Test func siluFallsAndRisesOnce() {
        let values = (-60_000...60_000).map { quantizedSilu(Float($0) / 5000) }
        let lowest = values.indices.min { values[$0] < values[$1] }!
        for i in 1..<values.count {
            // A step of the float polynomial may go back by rounding.
            let difference = values[i] - values[i - 1]
            #expect(i <= lowest ? difference <= 1e-6 : difference >= -1e-6)
        }
    }

    @Test func meansAreExactSums() throws {
        let input = AffineQuantization(scales: [0.5, 0.25], zeroPoint: 4)
        let real = try QuantizedMean(of: input, channels: 2, pixels: 4, name: "L")
        #expect(real.real(24, channel: 0) == 1 as Float)  // 8 · 0.5 / 4
        let bytes = try QuantizedMean(
            of: input, channels: 2, pixels: 4, output: AffineQuantization(scales: [0.125], zeroPoint: 7), name: "L")
        #expect(bytes.byte(24, channel: 1) == 11)  // 8 · 0.25 / 4 / 0.125
    }

    /// 255 steps of the input in steps of the output: below 2³⁰, of two normal numbers whose quotient is one.
    @Test(
        arguments: [
            (1, 1, true), (0x1p22, 1, true), (0x1p23, 1, false), (1, 0x1p-100, false), (0x1p100, 0x1p-100, false),
            (0x1p-100, 0x1p100, false), (0x1p-100, 0x1p-100, true),
        ] as [(Float, Float, Bool)]) func ratiosStayWhereEveryInstructionSetConvertsAlike(
            input: Float, output: Float, isPossible: Bool
        )
    {
        let from = AffineQuantization(scales: [1, input], zeroPoint: 3)
        let to = AffineQuantization(scales: [1, output], zeroPoint: 5)
        func refuses(_ body: () throws(InferenceError) -> Void) {
            do throws(InferenceError) {
                try body()
                #expect(isPossible)
            } catch {
                guard case .impossibleQuantisation("L", let reason) = error else {
                    Issue.record("\(error)")
                    return
                }
                #expect(!isPossible && reason.hasPrefix("channel 1"), "\(reason)")
            }
        }
        refuses { () throws(InferenceError) in _ = try QuantizedGate(from: from, to: to, channels: 2, name: "L") }
        refuses { () throws(InferenceError) in
            _ = try QuantizedMean(of: from, channels: 2, pixels: 4, output: to, name: "L")
        }
        #expect(throws: InferenceError.self) {
            try QuantizedMean(
                of: AffineQuantization(scales: [0x1p23], zeroPoint: 0), channels: 1, pixels: 4, name: "L")
        }
    }
}
