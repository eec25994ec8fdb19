import EfficientNet
import Kernels

@testable import Inference

/// The network, computed layer by layer with the plain reference of each operation and whole tensors in between.
struct ReferenceNetwork {
    struct Picture {
        var height: Int
        var width: Int
        var values: [Float]
    }

    private let graph: Graph

    init(_ graph: Graph) { self.graph = graph }

    func logits(planar: [Float], height: Int, width: Int) -> [Double] {
        let features = mean(head(planar: planar, height: height, width: width), channels: graph.head.outputs)
        return dense(features, graph.classifier).values.map(Double.init)
    }

    /// The last feature map, `[height][width][channels]`.
    func head(planar: [Float], height: Int, width: Int) -> Picture {
        let pixels = height * width
        var picture = Picture(
            height: height, width: width, values: (0..<(pixels * 3)).map { planar[$0 % 3 * pixels + $0 / 3] })
        for segment in graph.segments {
            let input = picture.values
            if let front = segment.front { picture = dense(picture, front) }
            if let depthwise = segment.depthwise {
                picture = convolve(
                    picture, channels: depthwise.channels, groups: depthwise.channels, weights: depthwise.weights,
                    bias: depthwise.bias, kernel: depthwise.kernel, stride: depthwise.stride,
                    activation: depthwise.activation)
            }
            if let (reduce, expand) = segment.squeeze {
                let squeezed = dense(mean(picture, channels: reduce.inputs), reduce)
                let gate = dense(squeezed, expand).values
                for i in picture.values.indices { picture.values[i] *= gate[i % gate.count] }
            }
            if let projection = segment.projection { picture = dense(picture, projection) }
            if segment.hasResidual {
                for i in picture.values.indices { picture.values[i] += input[i] }
            }
        }
        return dense(picture, graph.head)
    }

    private func mean(_ picture: Picture, channels: Int) -> Picture {
        var sums = [Double](repeating: 0, count: channels)
        for (i, value) in picture.values.enumerated() { sums[i % channels] += Double(value) }
        return Picture(height: 1, width: 1, values: sums.map { Float($0 / Double(picture.height * picture.width)) })
    }

    private func dense(_ picture: Picture, _ layer: DenseLayer) -> Picture {
        convolve(
            picture, channels: layer.inputs, groups: 1, weights: layer.weights, bias: layer.bias, kernel: layer.kernel,
            stride: layer.stride, activation: layer.activation)
    }

    private func convolve(
        _ picture: Picture, channels: Int, groups: Int, weights: [Float], bias: [Float], kernel: Int, stride: Int,
        activation: KernelActivation
    ) -> Picture {
        let padding = graph.architecture.padding
        let outHeight = padding.outputSize(of: picture.height, kernel: kernel, stride: stride)
        let outWidth = padding.outputSize(of: picture.width, kernel: kernel, stride: stride)
        let values = Reference.convolution(
            input: picture.values, height: picture.height, width: picture.width, channels: channels, weights: weights,
            bias: bias, groups: groups, kernel: kernel, stride: stride,
            top: padding.before(size: picture.height, kernel: kernel, stride: stride),
            left: padding.before(size: picture.width, kernel: kernel, stride: stride), outHeight: outHeight,
            outWidth: outWidth, activation: activation)
        return Picture(height: outHeight, width: outWidth, values: values.map { Float($0) })
    }
}
