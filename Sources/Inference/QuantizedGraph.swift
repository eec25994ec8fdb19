import EfficientNet
import Kernels

/// How bytes stand for real values: real[c] = scales[c] · (byte - zeroPoint).
public struct AffineQuantization: Equatable, Sendable {
    /// One for all channels, or one a channel: also of what a dense layer reads, in whose weights is then what differs
    /// between channels. Only where bytes become real values, and for a residual, do they count after all.
    public var scales: [Float]
    public var zeroPoint: UInt8

    public init(scales: [Float], zeroPoint: UInt8) {
        self.scales = scales
        self.zeroPoint = zeroPoint
    }

    /// Of channel `channel`.
    public func scale(of channel: Int) -> Float { scales.count == 1 ? scales[0] : scales[channel] }
}

/// A convolution or linear layer in integers.
///
///     sum[o] = Σ (q - input zero point) · weights[o][…]      in 32-bit integers, q the input's bytes
///     y[o]   = activation(scales[o] · sum[o] + bias[o])      what the output's bytes stand for
///
/// Padding is the input's zero point. `relu6` is what saturation does: the output's zero point is 0, and 255 steps of
/// its scale are what the activation is cut off at, 6 at the most.
public struct QuantizedLayer: Equatable, Sendable {
    public var inputs: Int
    public var outputs: Int
    public var kernel: Int
    public var stride: Int
    /// `[outputs][inputs][kernel][kernel]`, of a depthwise layer `[outputs][1][kernel][kernel]`, each in -127...127.
    ///
    /// So that no instruction set's 16-bit sums saturate, neighbours in the order in which they are packed obey
    /// |w| + |w'| ≤ 128: of a dense layer inputs (2k, 2k + 1) of one kernel position (of one kernel row of the stem,
    /// whose inputs are its 3 · kernel bytes: (column, channel) in this order), of a depthwise one neighbouring columns
    /// of one kernel row.
    public var weights: [Int8]
    /// `[outputs]`: what one unit of the integer sum is worth.
    public var scales: [Float]
    /// `[outputs]`, in real units.
    public var bias: [Float]
    public var activation: KernelActivation
    /// What the bytes of the output stand for; nil where it stays in floating point (the classifier's logits).
    public var output: AffineQuantization?

    public init(
        inputs: Int, outputs: Int, kernel: Int, stride: Int, weights: [Int8], scales: [Float], bias: [Float],
        activation: KernelActivation, output: AffineQuantization?
    ) {
        self.inputs = inputs
        self.outputs = outputs
        self.kernel = kernel
        self.stride = stride
        self.weights = weights
        self.scales = scales
        self.bias = bias
        self.activation = activation
        self.output = output
    }
}

/// A `Segment` in integers: front → depthwise → squeeze-and-excite → projection, each of them optional.
public struct QuantizedSegment: Sendable {
    /// Of what the segment reads, which is also the residual; of the picture itself see `QuantizedGraph`.
    public var input: AffineQuantization
    public var front: QuantizedLayer?
    public var depthwise: QuantizedLayer?
    /// In floating point: they work on one vector an image, the mean of the depthwise layer's output.
    package var squeeze: (reduce: DenseLayer, expand: DenseLayer)?
    /// Of the depthwise layer's output times the gate, which the projection reads; nil without a gate.
    public var gated: AffineQuantization?
    public var projection: QuantizedLayer?
    /// The input is added to what the last layer makes, in real units, before that becomes bytes.
    public var hasResidual = false

    package init(input: AffineQuantization) { self.input = input }

    /// Of what the segment writes.
    public var output: AffineQuantization { (projection ?? depthwise ?? front)!.output! }
}

/// The network in integers, but for segments that were kept in floating point.
///
/// The stem reads the picture's bytes as they are: with the normalisation (byte / 255 - mean) / std, 1 / (255 · std) of a
/// channel is part of the stem's weights and 255 · mean is the channel's zero point, a real number in the stem's sum; a
/// padded pixel has the nearest bytes.
public struct QuantizedGraph: Sendable {
    public enum Block: Sendable {
        case float(Segment)
        case integer(QuantizedSegment)
    }

    public let architecture: Architecture
    public let normalisation: Normalisation
    /// As `Graph.segments`. A segment kept in floating point reads the real values of the bytes before it, and its
    /// output becomes the bytes that the next one's `input` says.
    public let segments: [Block]
    /// Of what the head reads.
    public let headInput: AffineQuantization
    /// The last convolution; its bytes are summed over the picture, and the mean becomes bytes of `features`.
    public let head: QuantizedLayer
    public let features: AffineQuantization
    /// Its output stays in floating point.
    public let classifier: QuantizedLayer

    public init(
        architecture: Architecture, normalisation: Normalisation, segments: [Block], headInput: AffineQuantization,
        head: QuantizedLayer, features: AffineQuantization, classifier: QuantizedLayer
    ) {
        self.architecture = architecture
        self.normalisation = normalisation
        self.segments = segments
        self.headInput = headInput
        self.head = head
        self.features = features
        self.classifier = classifier
    }
}
