import EfficientNet
import Kernels

/// One layer of the reference.
struct LayerReference: Sendable {
    let requantization: Requantization
    private let layer: QuantizedLayer
    private let isDepthwise: Bool
    /// What lies outside the picture, of each input channel.
    private let paddingBytes: [UInt8]
    private let padding: Padding
    /// `[outputs][kernel][kernel][inputs]`, of a depthwise layer `[kernel][kernel][channels]`.
    private let weights: [Int16]

    /// - Parameter image: for the stem, what the picture's bytes stand for.
    init(
        _ layer: QuantizedLayer, name: String, input: AffineQuantization, padding: Padding, isDepthwise: Bool = false,
        image: Normalisation? = nil, residual: AffineQuantization? = nil
    ) throws(InferenceError) {
        self.layer = layer
        self.isDepthwise = isDepthwise
        self.padding = padding
        let zeroPoints = image?.zeroPoints ?? [Double(input.zeroPoint)]
        requantization = try Requantization(
            layer, name: name, inputZeroPoints: zeroPoints, isDepthwise: isDepthwise, residual: residual)
        paddingBytes = image?.paddingBytes ?? [UInt8](repeating: input.zeroPoint, count: layer.inputs)
        let taps = layer.kernel * layer.kernel
        let inputs = isDepthwise ? 1 : layer.inputs
        var weights = [Int16](repeating: 0, count: layer.weights.count)
        for output in 0..<layer.outputs {
            for input in 0..<inputs {
                for tap in 0..<taps {
                    let to = isDepthwise ? tap * layer.outputs + output : (output * taps + tap) * inputs + input
                    weights[to] = Int16(layer.weights[(output * inputs + input) * taps + tap])
                }
            }
        }
        self.weights = weights
    }

    /// - Parameter residual: what is added where the layer has a residual, and ignored where it has none.
    func run(
        _ picture: QuantizedReference.Picture, residual: QuantizedReference.Picture? = nil
    ) -> QuantizedReference.Picture {
        let (height, width, sums) = sums(picture)
        let outputs = layer.outputs
        let residual = requantization.residualMultipliers.isEmpty ? nil : residual
        let bytes = [UInt8](unsafeUninitializedCapacity: sums.count) { bytes, count in
            for pixel in 0..<height * width {
                for output in 0..<outputs {
                    let i = pixel * outputs + output
                    bytes[i] = requantization.byte(sums[i], output: output, residual: residual?.bytes[i] ?? 0)
                }
            }
            count = sums.count
        }
        return QuantizedReference.Picture(height: height, width: width, channels: outputs, bytes: bytes)
    }

    /// Σ q · w of every output, `[height][width][outputs]`.
    func sums(_ picture: QuantizedReference.Picture) -> (height: Int, width: Int, values: [Int32]) {
        let padded = pad(picture)
        let (kernel, stride, outputs) = (layer.kernel, layer.stride, layer.outputs)
        let height = padding.outputSize(of: picture.height, kernel: kernel, stride: stride)
        let width = padding.outputSize(of: picture.width, kernel: kernel, stride: stride)
        let channels = picture.channels
        let run = kernel * channels
        var values = [Int32](repeating: 0, count: height * width * outputs)
        var patch = [Int16](repeating: 0, count: kernel * run)
        values.withUnsafeMutableBufferPointer { values in
            weights.withUnsafeBufferPointer { weights in
                patch.withUnsafeMutableBufferPointer { patch in
                    for y in 0..<height {
                        for x in 0..<width {
                            for row in 0..<kernel {
                                let start = ((y * stride + row) * padded.width + x * stride) * channels
                                for i in 0..<run { patch[row * run + i] = Int16(padded.bytes[start + i]) }
                            }
                            let first = (y * width + x) * outputs
                            if isDepthwise {
                                for tap in 0..<kernel * kernel {
                                    for channel in 0..<channels {
                                        let i = tap * channels + channel
                                        values[first + channel] &+= Int32(patch[i]) &* Int32(weights[i])
                                    }
                                }
                            } else {
                                for output in 0..<outputs {
                                    var sum: Int32 = 0
                                    for i in 0..<patch.count {
                                        sum &+= Int32(patch[i]) &* Int32(weights[output * patch.count + i])
                                    }
                                    values[first + output] = sum
                                }
                            }
                        }
                    }
                }
            }
        }
        return (height, width, values)
    }

    /// The picture with as many bytes around it as the kernel reads.
    private func pad(_ picture: QuantizedReference.Picture) -> QuantizedReference.Picture {
        let (kernel, stride) = (layer.kernel, layer.stride)
        guard kernel > 1 else { return picture }
        let top = padding.before(size: picture.height, kernel: kernel, stride: stride)
        let left = padding.before(size: picture.width, kernel: kernel, stride: stride)
        let outHeight = padding.outputSize(of: picture.height, kernel: kernel, stride: stride)
        let outWidth = padding.outputSize(of: picture.width, kernel: kernel, stride: stride)
        let height = max(top + picture.height, (outHeight - 1) * stride + kernel)
        let width = max(left + picture.width, (outWidth - 1) * stride + kernel)
        let channels = picture.channels
        var bytes = [UInt8](unsafeUninitializedCapacity: height * width * channels) { bytes, count in
            for i in 0..<height * width * channels { bytes[i] = paddingBytes[i % channels] }
            count = height * width * channels
        }
        for y in 0..<picture.height {
            let from = y * picture.width * channels
            let to = ((y + top) * width + left) * channels
            for i in 0..<picture.width * channels { bytes[to + i] = picture.bytes[from + i] }
        }
        return QuantizedReference.Picture(height: height, width: width, channels: channels, bytes: bytes)
    }
}

extension Normalisation {
    /// The bytes, real numbers, that stand for 0.
    public var zeroPoints: [Double] { mean.map { 255 * Double($0) } }
    /// The whole bytes nearest to 0, which a picture is surrounded with.
    public var paddingBytes: [UInt8] {
        zeroPoints.map { UInt8(max(0, min(255, $0.rounded(.toNearestOrEven)))) }
    }
}
