import EfficientNet
import Inference
import Kernels

/// A segment in floating point, packed.
struct FloatSegmentRunner: Sendable {
    enum Step: Sendable {
        case convolution(Convolution)
        case gate(reduce: Convolution, expand: Convolution)
    }

    let steps: [Step]
    let hasResidual: Bool

    init(_ segment: FloatSegment, padding: Padding) {
        hasResidual = segment.hasResidual
        steps = segment.stages.map { stage in
            switch stage {
            case .convolution(let layer):
                .convolution(Convolution(layer, padding: padding, activation: layer.activation))
            case .gate(let reduce, let expand):
                .gate(
                    reduce: Convolution(
                        FloatLayer(reduce, name: "", role: .dense), padding: padding, activation: reduce.activation),
                    expand: Convolution(
                        FloatLayer(expand, name: "", role: .dense), padding: padding, activation: expand.activation))
            }
        }
    }

    /// The output of the first `count` stages, the residual added after the last of all. `visit` sees every stage's.
    func run(
        _ input: Picture, stages count: Int? = nil, visit: (_ stage: Int, _ output: Picture) -> Void = { _, _ in }
    ) -> Picture {
        var picture = input
        for (index, step) in steps.prefix(count ?? steps.count).enumerated() {
            picture = run(picture, step: step)
            if hasResidual && index + 1 == steps.count { picture.add(input) }
            visit(index, picture)
        }
        return picture
    }

    /// One stage, without a residual.
    func run(_ input: Picture, step: Step) -> Picture {
        switch step {
        case .convolution(let convolution): return convolution.run(input)
        case .gate(let reduce, let expand):
            var picture = input
            let gates = expand.run(reduce.run(input.mean()))
            picture.scale(by: Array(gates.values.prefix(gates.channels)))
            return picture
        }
    }
}

/// The network in floating point, packed.
struct FloatRunner: Sendable {
    let segments: [FloatSegmentRunner]
    let classifier: Convolution

    init(_ network: FloatNetwork) {
        segments = network.segments.map { FloatSegmentRunner($0, padding: network.padding) }
        classifier = Convolution(network.classifier, padding: network.padding, activation: .none)
    }

    /// The logits. `visit` sees every stage's output of every segment, and last the features as segment
    /// `segments.count`.
    func run(_ image: Picture, visit: (_ segment: Int, _ stage: Int, _ output: Picture) -> Void = { _, _, _ in })
        -> [Float]
    {
        var picture = image
        for (index, segment) in segments.enumerated() {
            picture = segment.run(picture) { visit(index, $0, $1) }
        }
        let features = picture.mean()
        visit(segments.count, 0, features)
        let logits = classifier.run(features)
        return Array(logits.values.prefix(logits.channels))
    }
}
