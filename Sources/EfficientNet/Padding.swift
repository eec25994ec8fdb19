/// The non-linearity of a variant, after every batch norm but a projection's.
public enum Activation: String, Codable, Sendable {
    /// x · sigmoid(x), also called swish.
    case silu
    /// min(max(x, 0), 6), of the Lite variants.
    case relu6
}

/// How a convolution's input is extended by zeros.
public enum Padding: String, Codable, CaseIterable, Sendable {
    /// (kernel − 1) / 2 on both sides, whatever the size: PyTorch's habit.
    case symmetric
    /// TensorFlow's SAME: output = ⌈size / stride⌉, the odd zero goes behind.
    case same

    /// Outputs along one axis of `size` inputs.
    /// - Precondition: `size`, `kernel` and `stride` are positive, `kernel` is odd.
    public func outputSize(of size: Int, kernel: Int, stride: Int) -> Int {
        switch self {
        case .symmetric: (size + 2 * ((kernel - 1) / 2) - kernel) / stride + 1
        case .same: (size + stride - 1) / stride
        }
    }

    /// Zeros before the first of `size` inputs along one axis.
    public func before(size: Int, kernel: Int, stride: Int) -> Int {
        switch self {
        case .symmetric: (kernel - 1) / 2
        case .same: total(size: size, kernel: kernel, stride: stride) / 2
        }
    }

    /// Zeros behind the last of `size` inputs along one axis.
    public func after(size: Int, kernel: Int, stride: Int) -> Int {
        switch self {
        case .symmetric: (kernel - 1) / 2
        case .same:
            total(size: size, kernel: kernel, stride: stride) - before(size: size, kernel: kernel, stride: stride)
        }
    }

    private func total(size: Int, kernel: Int, stride: Int) -> Int {
        max((outputSize(of: size, kernel: kernel, stride: stride) - 1) * stride + kernel - size, 0)
    }
}
