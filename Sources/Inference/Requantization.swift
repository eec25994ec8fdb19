import Kernels

/// How the 32-bit sums of a quantised layer become the bytes of its output.
///
/// Everything is written for one element at a time, in 32-bit integers and single floats, each product rounded before
/// it is added, so that vector code of every instruction set can give the same bits:
///
///     acc  = Σ q · w + offsets[o]                                                        Int32, cannot overflow
///     none, relu6:   t = Float(acc) · multipliers[o]
///     silu:          t = quantizedSilu(Float(acc) · multipliers[o]) · reciprocals[o] + addends[o]
///     residual:      t = t + Float(residual byte) · residualMultipliers[o]
///     byte = quantizedByte(t)
///
/// Where the output stays in floating point it is Float(acc) · multipliers[o].
public struct Requantization: Equatable, Sendable {
    public let activation: KernelActivation
    /// `[outputs]`. Bias and zero points, in units of the sum; with silu the output's zero point is in `addends`.
    public let offsets: [Int32]
    /// `[outputs]`. What one unit of the sum is worth: in steps of the output; in real units before silu, and where the
    /// output stays in floating point.
    public let multipliers: [Float]
    /// `[outputs]` with silu, else empty: 1 / scale of the output.
    public let reciprocals: [Float]
    /// `[outputs]` with silu, else empty.
    public let addends: [Float]
    /// `[outputs]` with a residual, else empty: what a step of the residual is worth in steps of the output.
    public let residualMultipliers: [Float]

    /// - Parameters:
    ///   - name: what an error calls the layer.
    ///   - inputZeroPoints: one for all input channels, or one a channel (the stem's, which are no whole numbers).
    ///   - isDepthwise: whether each output reads the input channel of its own.
    ///   - residual: what the bytes added to the output stand for.
    /// - Throws: `InferenceError.impossibleQuantisation` where a number does not fit into its type.
    public init(
        _ layer: QuantizedLayer, name: String, inputZeroPoints: [Double], isDepthwise: Bool,
        residual: AffineQuantization? = nil
    ) throws(InferenceError) {
        func fail(_ output: Int, _ reason: String) -> InferenceError {
            .impossibleQuantisation(layer: name, reason: "output \(output): \(reason)")
        }
        activation = layer.activation
        let isSilu = layer.activation == .silu
        let inputs = isDepthwise ? 1 : layer.inputs
        let taps = layer.kernel * layer.kernel
        var offsets: [Int32] = []
        var multipliers: [Float] = []
        var reciprocals: [Float] = []
        var addends: [Float] = []
        var residualMultipliers: [Float] = []
        for output in 0..<layer.outputs {
            let scale = Double(layer.scales[output])
            var absolute = 0
            var shift = 0.0
            for input in 0..<inputs {
                let first = (output * inputs + input) * taps
                var sum = 0
                for weight in layer.weights[first..<first + taps] {
                    sum += Int(weight)
                    absolute += abs(Int(weight))
                }
                let channel = isDepthwise ? output : input
                shift += inputZeroPoints[inputZeroPoints.count == 1 ? 0 : channel] * Double(sum)
            }
            var real = Double(layer.bias[output])
            var multiplier = scale
            if let affine = layer.output {
                let step = Double(affine.scale(of: output))
                var zero = Double(affine.zeroPoint)
                if let residual {
                    let ratio = Double(residual.scale(of: output)) / step
                    zero -= Double(residual.zeroPoint) * ratio
                    residualMultipliers.append(Float(ratio))
                }
                if isSilu {
                    reciprocals.append(Float(1 / step))
                    addends.append(Float(zero))
                } else {
                    real += zero * step
                    multiplier /= step
                }
            }
            let offset = (real / scale - shift).rounded(.toNearestOrEven)
            let largest = Double(absolute) * 255 + abs(offset)
            guard largest < 0x1p31 else { throw fail(output, "sums of up to \(largest) in 32 bits") }
            guard Float(multiplier).isNormal else { throw fail(output, "a multiplier of \(multiplier)") }
            let steps = largest * multiplier * Double(reciprocals.last ?? 1) + abs(Double(addends.last ?? 0))
            guard layer.output == nil || steps + 255 * Double(residualMultipliers.last ?? 0) < 0x1p30 else {
                throw fail(output, "values of up to \(steps) steps of the output")
            }
            offsets.append(Int32(offset))
            multipliers.append(Float(multiplier))
        }
        self.offsets = offsets
        self.multipliers = multipliers
        self.reciprocals = reciprocals
        self.addends = addends
        self.residualMultipliers = residualMultipliers
    }

    /// The output's byte of `sum` = Σ q · w and of the residual's byte, which counts only where there is a residual.
    @inline(__always)
    public func byte(_ sum: Int32, output: Int, residual: UInt8 = 0) -> UInt8 {
        var value = Float(sum + offsets[output]) * multipliers[output]
        if activation == .silu {
            value = quantizedSilu(value) * reciprocals[output]
            value += addends[output]
        }
        if !residualMultipliers.isEmpty { value += Float(residual) * residualMultipliers[output] }
        return quantizedByte(value)
    }

    /// The output of `sum` = Σ q · w where it stays in floating point.
    public func real(_ sum: Int32, output: Int) -> Float { Float(sum + offsets[output]) * multipliers[output] }
}

/// `value` rounded to the nearest whole number, halves to even, and cut off at 0 and 255.
@inline(__always)
public func quantizedByte(_ value: Float) -> UInt8 {
    // Where 1.5 · 2²³ is added nothing is left behind the point. Cutting off first gives the same: the bounds are whole.
    let whole = (max(0, min(255, value)) + 12_582_912) - 12_582_912
    return UInt8(truncatingIfNeeded: Int32(whole))
}

/// What is left of 1 at distance |x| from 0: sigmoid(-|x|), 0 from 11.31 on; falls monotonically.
///
/// Numerics: the eighth power of a polynomial, each product rounded before it is added; within 7e-4 of sigmoid(-|x|).
@inline(__always)
func quantizedSigmoidTail(_ magnitude: Float) -> Float {
    var q: Float = magnitude * -0.000_152_038_96 + 0.002_747_561_8
    q = magnitude * q + -0.013_730_705
    q = magnitude * q + -0.057_421_733
    q = magnitude * q + 0.917_004_04
    q = max(q, 0)
    q *= q
    q *= q
    return q * q
}

/// x · sigmoid(x), cheap in vectors of any instruction set: no division, no exponential, no fused multiply-add.
///
/// Numerics: within 7e-4 of silu; x itself from 11.31 on and 0 below -11.31.
@inline(__always)
public func quantizedSilu(_ x: Float) -> Float {
    let magnitude = abs(x)
    return max(x, 0) - magnitude * quantizedSigmoidTail(magnitude)
}

/// The gates' sigmoid.
///
/// Numerics: within 7e-4; exactly 0 or 1 from 11.31 on.
@inline(__always)
public func quantizedSigmoid(_ x: Float) -> Float {
    let tail = quantizedSigmoidTail(abs(x))
    return x < 0 ? tail : 1 - tail
}

/// What one unit of each channel is worth, as single floats that carry whole numbers of up to `largest` nowhere beyond
/// 2³⁰: so far every instruction set converts alike.
///
/// - Throws: `InferenceError.impossibleQuantisation` for the first channel that breaks this.
private func quantizedRatios(
    name: String, channels: Int, largest: Double, of ratio: (Int) -> Double
) throws(InferenceError) -> [Float] {
    var ratios: [Float] = []
    for channel in 0..<channels {
        let exact = ratio(channel)
        guard Float(exact).isNormal, largest * exact < 0x1p30 else {
            throw .impossibleQuantisation(
                layer: name, reason: "channel \(channel): values of up to \(largest * exact), each unit worth \(exact)")
        }
        ratios.append(Float(exact))
    }
    return ratios
}

/// How the bytes of a layer's output become their mean over a picture.
public struct QuantizedMean: Equatable, Sendable {
    /// What is taken from a channel's sum of bytes: pixels · zero point.
    public let offset: Int
    /// `[channels]`: what one unit of the sum is worth, in real units or in steps of the mean's own bytes.
    public let multipliers: [Float]
    /// Of the mean's bytes; 0 where it stays in floating point.
    public let zeroPoint: Float

    /// - Parameters:
    ///   - output: what the mean's bytes stand for; nil where it stays in floating point.
    ///   - name: what an error calls the layer.
    /// - Throws: `InferenceError.impossibleQuantisation` where a channel's values go beyond 2³⁰.
    public init(
        of input: AffineQuantization, channels: Int, pixels: Int, output: AffineQuantization? = nil, name: String
    ) throws(InferenceError) {
        offset = pixels * Int(input.zeroPoint)
        multipliers = try quantizedRatios(name: name, channels: channels, largest: 255 * Double(pixels)) { channel in
            Double(input.scale(of: channel)) / (Double(pixels) * Double(output?.scale(of: channel) ?? 1))
        }
        zeroPoint = Float(output?.zeroPoint ?? 0)
    }

    /// The mean in real units, from a channel's exact sum of bytes.
    public func real(_ sum: Int, channel: Int) -> Float { Float(sum - offset) * multipliers[channel] }

    /// The mean's byte, from a channel's exact sum of bytes.
    public func byte(_ sum: Int, channel: Int) -> UInt8 {
        quantizedByte(Float(sum - offset) * multipliers[channel] + zeroPoint)
    }
}

/// How a gate in floating point is put on the bytes of a depthwise layer.
///
///     byte = quantizedByte(Float(q - input zero point) · (gate[c] · ratios[c]) + zero point)
public struct QuantizedGate: Equatable, Sendable {
    /// `[channels]`: what a step of the input is worth in steps of the output.
    public let ratios: [Float]
    public let inputZeroPoint: Int32
    public let zeroPoint: Float

    /// - Parameter name: what an error calls the tensor.
    /// - Throws: `InferenceError.impossibleQuantisation` where a channel's values go beyond 2³⁰.
    public init(
        from input: AffineQuantization, to output: AffineQuantization, channels: Int, name: String
    ) throws(InferenceError) {
        ratios = try quantizedRatios(name: name, channels: channels, largest: 255) {
            Double(input.scale(of: $0)) / Double(output.scale(of: $0))
        }
        inputZeroPoint = Int32(input.zeroPoint)
        zeroPoint = Float(output.zeroPoint)
    }

    @inline(__always)
    public func byte(_ byte: UInt8, gate: Float, channel: Int) -> UInt8 {
        quantizedByte(Float(Int32(byte) - inputZeroPoint) * (gate * ratios[channel]) + zeroPoint)
    }
}

extension DenseLayer {
    /// The squeeze-and-excite layers' product with one vector, `[inputs]`, in single floats whose order is fixed:
    /// from the bias on, inputs ascending, each product rounded before it is added.
    func quantizedProduct(_ input: [Float]) -> [Float] {
        (0..<outputs).map { output in
            var sum = bias[output]
            for i in 0..<inputs { sum += input[i] * weights[output * inputs + i] }
            return switch activation {
            case .none: sum
            case .relu6: min(max(sum, 0), 6)
            case .silu: quantizedSilu(sum)
            case .sigmoid: quantizedSigmoid(sum)
            }
        }
    }
}
