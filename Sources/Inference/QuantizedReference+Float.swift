import EfficientNet
import Kernels

/// A picture of real values between segments that were kept in floating point, `[height][width][channels]`.
struct RealPicture {
    var height: Int
    var width: Int
    var channels: Int
    var values: [Float]

    /// What the bytes stand for.
    init(_ picture: QuantizedReference.Picture, _ quantization: AffineQuantization) {
        (height, width, channels) = (picture.height, picture.width, picture.channels)
        let zeroPoint = Int(quantization.zeroPoint)
        values = picture.bytes.enumerated().map { i, byte in
            Float(Int(byte) - zeroPoint) * quantization.scale(of: i % picture.channels)
        }
    }

    /// The network's input.
    init(_ picture: QuantizedReference.Picture, _ normalisation: Normalisation) {
        (height, width, channels) = (picture.height, picture.width, picture.channels)
        let (scale, shift) = (normalisation.scale, normalisation.shift)
        values = picture.bytes.enumerated().map { i, byte in Float(byte) * scale[i % 3] + shift[i % 3] }
    }

    private init(height: Int, width: Int, channels: Int, values: [Float]) {
        (self.height, self.width, self.channels, self.values) = (height, width, channels, values)
    }

    /// The bytes nearest to the values.
    func quantized(_ quantization: AffineQuantization) -> QuantizedReference.Picture {
        let zeroPoint = Float(quantization.zeroPoint)
        return QuantizedReference.Picture(
            height: height, width: width, channels: channels,
            bytes: values.enumerated().map { i, value in
                quantizedByte(value * Float(1 / Double(quantization.scale(of: i % channels))) + zeroPoint)
            })
    }

    func run(_ segment: Segment, padding: Padding) -> RealPicture {
        var picture = self
        if let front = segment.front { picture = picture.convolve(front, groups: 1, padding) }
        if let depthwise = segment.depthwise {
            let layer = DenseLayer(
                inputs: 1, outputs: depthwise.channels, kernel: depthwise.kernel, stride: depthwise.stride,
                weights: depthwise.weights, bias: depthwise.bias, activation: depthwise.activation)
            picture = picture.convolve(layer, groups: depthwise.channels, padding)
        }
        if let (reduce, expand) = segment.squeeze {
            let gates = picture.mean().convolve(reduce, groups: 1, padding).convolve(expand, groups: 1, padding).values
            for i in picture.values.indices { picture.values[i] *= gates[i % gates.count] }
        }
        if let projection = segment.projection { picture = picture.convolve(projection, groups: 1, padding) }
        if segment.hasResidual {
            for i in picture.values.indices { picture.values[i] += values[i] }
        }
        return picture
    }

    private func mean() -> RealPicture {
        var sums = [Double](repeating: 0, count: channels)
        for (i, value) in values.enumerated() { sums[i % channels] += Double(value) }
        return RealPicture(
            height: 1, width: 1, channels: channels, values: sums.map { Float($0 / Double(height * width)) })
    }

    private func convolve(_ layer: DenseLayer, groups: Int, _ padding: Padding) -> RealPicture {
        let (kernel, stride) = (layer.kernel, layer.stride)
        let outHeight = padding.outputSize(of: height, kernel: kernel, stride: stride)
        let outWidth = padding.outputSize(of: width, kernel: kernel, stride: stride)
        let result = Reference.convolution(
            input: values, height: height, width: width, channels: channels, weights: layer.weights, bias: layer.bias,
            groups: groups, kernel: kernel, stride: stride,
            top: padding.before(size: height, kernel: kernel, stride: stride),
            left: padding.before(size: width, kernel: kernel, stride: stride), outHeight: outHeight,
            outWidth: outWidth, activation: layer.activation)
        return RealPicture(
            height: outHeight, width: outWidth, channels: layer.outputs, values: result.map { Float($0) })
    }
}
