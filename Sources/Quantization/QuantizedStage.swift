import EfficientNet
import Inference
import Kernels

/// A quantised layer run over whole pictures with the kernels for floating point.
///
/// Pictures hold bytes less their zero point, so that what lies outside is 0.
/// Numerics: sums are exact while they stay below 2²⁴, which those of real networks do; `QuantizedReference` is the
/// definition.
/// Concurrency: immutable; shared by all threads.
struct QuantizedConvolution: Sendable {
    let layer: QuantizedLayer
    private let requantization: Requantization
    private let convolution: Convolution
    /// Σ zero point · w of each output, which the sums here are without.
    private let shifts: [Double]
    private let residualZeroPoint: Float

    init(
        _ layer: QuantizedLayer, like float: FloatLayer, input: AffineQuantization, padding: Padding,
        image: Normalisation? = nil, residual: AffineQuantization? = nil
    ) throws(InferenceError) {
        self.layer = layer
        var whole = float
        whole.weights = layer.weights.map { Float($0) }
        whole.bias = [Float](repeating: 0, count: layer.outputs)
        convolution = Convolution(
            whole, padding: padding, activation: .none, outside: image?.outside)
        let zeroPoints = image?.zeroPoints ?? [Double(input.zeroPoint)]
        requantization = try Requantization(
            layer, name: float.name, inputZeroPoints: zeroPoints, isDepthwise: float.role == .depthwise,
            residual: residual)
        let perOutput = float.weightsPerOutput
        shifts = (0..<layer.outputs).map { output in
            var shift = 0.0
            for i in 0..<perOutput {
                let channel = zeroPoints.count == 1 ? 0 : float.inputChannel(ofWeight: i, output: output)
                shift += zeroPoints[channel] * Double(layer.weights[output * perOutput + i])
            }
            return shift
        }
        residualZeroPoint = Float(residual?.zeroPoint ?? 0)
    }

    func run(_ picture: Picture, residual: Picture? = nil) -> Picture {
        var output = convolution.run(picture)
        let zeroPoint = Float(layer.output!.zeroPoint)
        let hasResidual = !requantization.residualMultipliers.isEmpty
        let (channels, stride, pixels) = (output.channels, output.stride, output.pixels)
        output.values.withUnsafeMutableBufferPointer { values in
            for pixel in 0..<pixels {
                for channel in 0..<channels {
                    let i = pixel * stride + channel
                    let sum = Int32((Double(values[i]) + shifts[channel]).rounded())
                    let other = hasResidual ? UInt8(residual!.values[i] + residualZeroPoint) : 0
                    values[i] = Float(requantization.byte(sum, output: channel, residual: other)) - zeroPoint
                }
            }
        }
        return output
    }

    /// Of a layer whose output stays in floating point.
    func real(_ picture: Picture) -> [Float] {
        let sums = convolution.run(picture)
        return (0..<sums.channels).map {
            requantization.real(Int32((Double(sums.values[$0]) + shifts[$0]).rounded()), output: $0)
        }
    }
}

extension Normalisation {
    /// What lies outside a picture of bytes less their zero points: the nearest bytes, less the same.
    var outside: [Float] { zip(paddingBytes, zeroPoints).map { Float(Double($0) - $1) } }
}

/// One stage of a segment in integers.
enum QuantizedStep: Sendable {
    case convolution(QuantizedConvolution)
    case gate(reduce: Convolution, expand: Convolution, from: AffineQuantization, gate: QuantizedGate)

    func run(_ picture: Picture, residual: Picture?) -> Picture {
        switch self {
        case .convolution(let convolution): return convolution.run(picture, residual: residual)
        case .gate(let reduce, let expand, let from, let gate):
            let gates = expand.run(reduce.run(picture.dequantized(from).mean())).values
            var picture = picture
            for pixel in 0..<picture.pixels {
                for channel in 0..<picture.channels {
                    let i = pixel * picture.stride + channel
                    let byte = UInt8(picture.values[i] + Float(from.zeroPoint))
                    picture.values[i] =
                        Float(gate.byte(byte, gate: gates[channel], channel: channel)) - gate.zeroPoint
                }
            }
            return picture
        }
    }
}

extension Picture {
    /// The bytes nearest to the real values, less the zero point.
    func quantized(_ quantization: AffineQuantization) -> Picture {
        var picture = self
        let zeroPoint = Float(quantization.zeroPoint)
        let reciprocals = (0..<channels).map { Float(1 / Double(quantization.scale(of: $0))) }
        picture.values.withUnsafeMutableBufferPointer { values in
            for pixel in 0..<height * width {
                for channel in 0..<channels {
                    let i = pixel * stride + channel
                    values[i] = Float(quantizedByte(values[i] * reciprocals[channel] + zeroPoint)) - zeroPoint
                }
            }
        }
        return picture
    }

    /// What bytes less their zero point stand for.
    func dequantized(_ quantization: AffineQuantization) -> Picture {
        var picture = self
        let scales = (0..<channels).map { quantization.scale(of: $0) }
        picture.values.withUnsafeMutableBufferPointer { values in
            for pixel in 0..<height * width {
                for channel in 0..<channels { values[pixel * stride + channel] *= scales[channel] }
            }
        }
        return picture
    }
}
