/// How far the bytes of a channel reach.
public enum RangeMethod: String, CaseIterable, Sendable {
    /// As far as any value that was seen.
    case minmax
    /// Past all but one in 10,000 of the values.
    case percentile
    /// As far as makes the squared error least: what is cut off against what is rounded.
    case mse

    /// The least and the greatest value that the bytes should reach; 0 is between them.
    func range(_ distribution: Distribution) -> (low: Double, high: Double) {
        switch self {
        case .minmax: return distribution.range
        case .percentile: return distribution.range(outside: 1e-4)
        case .mse:
            let (low, high) = distribution.range
            guard high > low else { return (0, 0) }
            var best = (cost: Double.infinity, share: 1.0)
            for percent in stride(from: 100, to: 30, by: -3) {
                let share = Double(percent) / 100
                let cost = distribution.squaredError(
                    step: (high - low) * share / 255, from: low * share, to: high * share)
                if cost < best.cost { best = (cost, share) }
            }
            return (low * best.share, high * best.share)
        }
    }
}
