import Kernels

extension QuantizedLayer {
    /// What a layer's weights are neighbours of when they are packed.
    package enum Role: Sendable {
        case stem, dense, depthwise
    }

    /// Calls `body` with the indices of the two weights of every packed pair of one output; a weight without a neighbour
    /// is not among them.
    package static func forEachPair(
        role: Role, inputs: Int, kernel: Int, _ body: (_ first: Int, _ second: Int) -> Void
    ) {
        let taps = kernel * kernel
        switch role {
        case .dense:
            for tap in 0..<taps {
                for input in Swift.stride(from: 0, to: inputs - 1, by: 2) {
                    body(input * taps + tap, (input + 1) * taps + tap)
                }
            }
        case .stem:
            // Along a kernel row the order is (column, channel).
            func index(_ row: Int, _ place: Int) -> Int {
                (place % inputs * kernel + row) * kernel + place / inputs
            }
            for row in 0..<kernel {
                for place in Swift.stride(from: 0, to: inputs * kernel - 1, by: 2) {
                    body(index(row, place), index(row, place + 1))
                }
            }
        case .depthwise:
            // A kernel row is shifted into its place among four columns: any two neighbours may make a pair.
            for row in 0..<kernel {
                for column in 0..<kernel - 1 {
                    body(row * kernel + column, row * kernel + column + 1)
                }
            }
        }
    }

    /// Weights of one output.
    func weightsPerOutput(_ role: Role) -> Int { (role == .depthwise ? 1 : inputs) * kernel * kernel }

    /// The greatest |w| + |w'| of a packed pair that no 16-bit sum saturates with.
    package static let pairLimit = 128

    /// - Throws: `InferenceError.quantisedTensor` for the first value that breaks what this type promises.
    func check(name: String, role: Role) throws(InferenceError) {
        func fail(_ part: String, _ reason: String) -> InferenceError {
            .quantisedTensor("\(name).\(part)", reason: reason)
        }
        if weights.contains(.min) { throw fail("weight", "has the value -128; the least is -127") }
        let perOutput = weightsPerOutput(role)
        var broken: (output: Int, first: Int, second: Int)?
        weights.withUnsafeBufferPointer { weights in
            Self.forEachPair(role: role, inputs: role == .depthwise ? 1 : inputs, kernel: kernel) { first, second in
                for output in 0..<outputs {
                    let base = output * perOutput
                    let sum = weights[base + first].magnitude + weights[base + second].magnitude
                    if sum > Self.pairLimit, broken == nil { broken = (output, first, second) }
                }
            }
        }
        if let broken {
            throw fail(
                "weight",
                "has at output \(broken.output) neighbours (\(broken.first), \(broken.second)) whose magnitudes add up to "
                    + "more than \(Self.pairLimit)")
        }
        guard scales.allSatisfy({ $0.isNormal && $0 > 0 }) else { throw fail("scale", Self.notPositive) }
        guard bias.allSatisfy(\.isFinite) else { throw fail("bias", "has values that are not finite") }
        guard let output else { return }
        try output.check(name: name)
        if activation == .relu6 {
            guard output.zeroPoint == 0 else {
                throw fail("output_zero_point", "is \(output.zeroPoint), but 0 is where a ReLU6 begins")
            }
            guard output.scales.allSatisfy({ Double($0) * 255 <= 6 * (1 + 1e-6) }) else {
                throw fail("output_scale", "reaches beyond 6, where a ReLU6 ends")
            }
        }
    }

    static let notPositive = "has values that are not positive normal numbers"
}

extension AffineQuantization {
    /// - Throws: `InferenceError.quantisedTensor` where a scale is not positive.
    func check(name: String) throws(InferenceError) {
        guard scales.allSatisfy({ $0.isNormal && $0 > 0 }) else {
            throw .quantisedTensor("\(name).output_scale", reason: QuantizedLayer.notPositive)
        }
    }
}
