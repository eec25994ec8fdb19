import EfficientNet

/// Which of an architecture's layers make up one segment of its graph, and what they are called.
package struct SegmentLayout: Equatable, Sendable {
    /// `blocks.N`, or `stem` where that is a segment by itself. A stem that is not belongs to `blocks.0`.
    package let name: String
    package var front: Layer?
    package var depthwise: Layer?
    package var squeezeReduce: Layer?
    package var squeezeExpand: Layer?
    package var projection: Layer?
    package var hasResidual = false

    /// What the gated tensor's quantisation is called.
    package var gatedName: String { "\(name).gated" }
    /// What errors call the mean that squeeze-and-excite reads.
    package var meanName: String { "\(name).squeeze" }
}

extension Architecture {
    /// The layouts of `Graph.segments`, in the same order.
    package var segmentLayouts: [SegmentLayout] {
        var layers: [Layer.Location: Layer] = [:]
        for layer in self.layers { layers[layer.location] = layer }
        var layouts: [SegmentLayout] = []
        var pendingStem = layers[.stem]
        for (index, block) in blocks.enumerated() {
            var layout = SegmentLayout(name: "blocks.\(index)", hasResidual: block.hasResidual)
            if let stem = pendingStem {
                pendingStem = nil
                if block.parts.first == .depthwise && !block.hasResidual {
                    layout.front = stem
                } else {
                    layouts.append(SegmentLayout(name: "stem", front: stem))
                }
            }
            for part in block.parts {
                let layer = layers[.block(index, part)]
                switch part {
                case .expand, .fused: layout.front = layer
                case .depthwise: layout.depthwise = layer
                case .squeezeReduce: layout.squeezeReduce = layer
                case .squeezeExpand: layout.squeezeExpand = layer
                case .project: layout.projection = layer
                }
            }
            layouts.append(layout)
        }
        if let stem = pendingStem { layouts.append(SegmentLayout(name: "stem", front: stem)) }
        return layouts
    }
}

extension Layer.Location {
    /// What a layer's tensors begin with in a quantised model's file: `stem`, `blocks.3.expand`, `head`, `classifier`.
    package var quantizedName: String {
        switch self {
        case .stem: "stem"
        case .head: "head"
        case .classifier: "classifier"
        case .block(let index, let part):
            switch part {
            case .squeezeReduce: "blocks.\(index).squeeze_reduce"
            case .squeezeExpand: "blocks.\(index).squeeze_expand"
            case .expand, .depthwise, .project, .fused: "blocks.\(index).\(part.rawValue)"
            }
        }
    }
}
