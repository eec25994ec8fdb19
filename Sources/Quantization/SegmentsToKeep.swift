import EfficientNet
import Inference

extension Quantizer {
    /// What `Options.keep` may name, in the order in which they run.
    public static func segmentNames(of architecture: Architecture) -> [String] {
        architecture.segmentLayouts.map(\.name)
    }

    /// The segments that should stay in floating point: those with the noisiest layers first, as long as all together
    /// have no more than a share of `budget` of the multiply-accumulates. One that is too large is passed over.
    ///
    /// - Parameter layers: as `measure` gives them.
    /// - Throws: `ArchitectureError` where the input size is impossible.
    public static func segmentsToKeep(
        _ layers: [SignalToNoise], budget: Double, architecture: Architecture, inputSize: Int
    ) throws(ArchitectureError) -> Set<String> {
        let costs = try architecture.costs(height: inputSize, width: inputSize)
        let total = costs.reduce(0) { $0 + $1.multiplyAccumulates }
        var segments: [(name: String, decibels: Double, cost: Int)] = []
        for layout in architecture.segmentLayouts {
            let locations = layout.layers.map(\.location)
            let names = Set(locations.map(\.quantizedName) + [layout.gatedName])
            let worst = layers.filter { names.contains($0.name) && $0.isMeasured }.map(\.decibels).min()
            let cost = costs.filter { locations.contains($0.layer.location) }.reduce(0) { $0 + $1.multiplyAccumulates }
            if let worst { segments.append((layout.name, worst, cost)) }
        }
        var left = budget * Double(total)
        var kept: Set<String> = []
        for segment in segments.sorted(by: { ($0.decibels, $0.name) < ($1.decibels, $1.name) })
        where Double(segment.cost) <= left {
            left -= Double(segment.cost)
            kept.insert(segment.name)
        }
        return kept
    }
}

extension SegmentLayout {
    /// All its layers, in the order in which they run.
    fileprivate var layers: [Layer] { [front, depthwise, squeezeReduce, squeezeExpand, projection].compactMap { $0 } }
}
