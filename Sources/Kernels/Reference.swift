/// What every kernel computes, written plainly: the definition that the fast ones are tested against.
///
/// Products and sums are in `Double`, so that the reference's own error does not count.
public enum Reference {
    public static func activate(_ x: Double, _ activation: KernelActivation) -> Double {
        switch activation {
        case .none: x
        case .relu6: min(max(x, 0), 6)
        case .silu: x * sigmoid(x)
        case .sigmoid: sigmoid(x)
        }
    }

    private static func sigmoid(_ x: Double) -> Double { 1 / (1 + exponential(-x)) }

    /// e^x by its Taylor series on a reduced argument.
    static func exponential(_ x: Double) -> Double {
        let halvings = 12
        let r = min(max(x, -700), 700) / Double(1 << halvings)
        var term = 1.0
        var sum = 1.0
        for n in 1...12 {
            term *= r / Double(n)
            sum += term
        }
        for _ in 0..<halvings { sum *= sum }
        return sum
    }

    /// c = activation(a · bᵀ + bias) + residual.
    ///
    /// Shapes: a `[m][k]`, b `[n][k]`, bias `[n]`, residual `[m][n]` or nil, result `[m][n]`.
    public static func matrixProduct(
        a: [Float], b: [Float], bias: [Float], residual: [Float]?, m: Int, n: Int, k: Int, activation: KernelActivation
    ) -> [Double] {
        var c = [Double](repeating: 0, count: m * n)
        for i in 0..<m {
            for j in 0..<n {
                var sum = Double(bias[j])
                for d in 0..<k { sum += Double(a[i * k + d]) * Double(b[j * k + d]) }
                c[i * n + j] = activate(sum, activation) + (residual.map { Double($0[i * n + j]) } ?? 0)
            }
        }
        return c
    }

    /// A convolution of one image, zero outside its borders.
    ///
    /// Shapes: input `[height][width][channels]`, weights `[outputs][channels / groups][kernel][kernel]`, result
    /// `[outHeight][outWidth][outputs]`; the first tap of output (0, 0) reads input (-top, -left).
    public static func convolution(
        input: [Float], height: Int, width: Int, channels: Int, weights: [Float], bias: [Float], groups: Int,
        kernel: Int,
        stride: Int, top: Int, left: Int, outHeight: Int, outWidth: Int, activation: KernelActivation
    ) -> [Double] {
        let outputs = bias.count
        let perGroup = channels / groups
        let outputsPerGroup = outputs / groups
        var result = [Double](repeating: 0, count: outHeight * outWidth * outputs)
        for y in 0..<outHeight {
            for x in 0..<outWidth {
                for o in 0..<outputs {
                    var sum = Double(bias[o])
                    for ky in 0..<kernel {
                        for kx in 0..<kernel {
                            let row = y * stride + ky - top
                            let column = x * stride + kx - left
                            guard row >= 0, row < height, column >= 0, column < width else { continue }
                            for c in 0..<perGroup {
                                let channel = o / outputsPerGroup * perGroup + c
                                sum +=
                                    Double(input[(row * width + column) * channels + channel])
                                    * Double(weights[((o * perGroup + c) * kernel + ky) * kernel + kx])
                            }
                        }
                    }
                    result[(y * outWidth + x) * outputs + o] = activate(sum, activation)
                }
            }
        }
        return result
    }

    /// Bᵀ · d · B of Winograd's F(2×2, 3×3).
    ///
    /// Shapes: d `[4][4]`, result `[4][4]`.
    public static func winogradInput(_ d: [Double]) -> [Double] {
        bothSides(of: d, times: [[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]])
    }

    /// Aᵀ · m · A of Winograd's F(2×2, 3×3).
    ///
    /// Shapes: m `[4][4]`, result `[2][2]`.
    public static func winogradOutput(_ m: [Double]) -> [Double] {
        bothSides(of: m, times: [[1, 1, 1, 0], [0, 1, -1, -1]])
    }

    /// t · x · tᵀ of a square x.
    private static func bothSides(of x: [Double], times t: [[Double]]) -> [Double] {
        t.flatMap { row in
            t.map { column in
                var sum = 0.0
                for (i, a) in row.enumerated() {
                    for (j, b) in column.enumerated() { sum += a * b * x[i * column.count + j] }
                }
                return sum
            }
        }
    }
}
