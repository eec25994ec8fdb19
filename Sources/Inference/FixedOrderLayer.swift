import Kernels
import Tensors

/// A dense layer on one vector in floating point whose bits are the same on every instruction set: the sum starts from
/// the bias and takes the products in ascending order, each rounded before it is added.
final class FixedOrderLayer: @unchecked Sendable {  // immutable after init
    let inputs: Int
    let outputs: Int
    private let activation: KernelActivation
    /// `[inputs][columns]`, then `[columns]` of bias, columns past the last zero.
    private let storage: AlignedBuffer<Float>

    /// Outputs rounded up to whole vectors of every instruction set.
    var columns: Int { channelStride(outputs) }

    init(_ layer: DenseLayer) {
        inputs = layer.inputs
        outputs = layer.outputs
        activation = layer.activation
        let columns = channelStride(layer.outputs)
        storage = AlignedBuffer(count: (layer.inputs + 1) * columns)
        for output in 0..<layer.outputs {
            for input in 0..<layer.inputs {
                storage.pointer[input * columns + output] = layer.weights[output * layer.inputs + input]
            }
            storage.pointer[layer.inputs * columns + output] = layer.bias[output]
        }
    }

    /// out = activation(weights · input + bias); `out` has room for `columns`.
    func applyUnsafe(_ input: UnsafePointer<Float>, into out: UnsafeMutablePointer<Float>, table: KernelTable) {
        table.denseRowUnsafe(
            input, depth: inputs, weights: storage.pointer, bias: storage.pointer + inputs * columns, columns: columns,
            into: out)
        for i in 0..<outputs {
            switch activation {
            case .none: break
            case .relu6: out[i] = min(max(out[i], 0), 6)
            case .silu: out[i] = quantizedSilu(out[i])
            case .sigmoid: out[i] = quantizedSigmoid(out[i])
            }
        }
    }
}
