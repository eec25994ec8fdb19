import Inference
import Kernels

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Chooses what the bytes of a tensor stand for.
///
/// A channel whose values reach less far than the others' can have smaller steps of its own: the next layer's weights
/// make up for it (equalisation). But what was seen of a channel may not be all that comes: one that answers to some
/// kind of object has seen few of them. So how much of the difference between channels goes into their steps, and
/// with which margin, is what serves best on the half of the pictures that the ranges were not taken from.
struct ActivationScales {
    let method: RangeMethod

    /// step = margin · widest · (own / widest)^share
    private struct Policy: Sendable {
        let share: Double
        let margin: Double

        static let all = [0, 0.25, 0.5, 0.75, 1].flatMap { share in
            [0.7, 0.85, 1, 1.15, 1.4, 1.8, 2.5].map { Policy(share: share, margin: $0) }
        }
    }

    /// Where no more than 6 goes through.
    private static let reluLimit = Double((6.0 / 255 as Float).nextDown)
    /// Of a channel that was never seen to move, as a share of the widest.
    private static let leastShare = 1e-3

    /// - Parameter gains: how much a channel's error counts, for each channel.
    func quantization(
        _ histogram: ChannelHistogram, activation: KernelActivation, gains: [Double]
    ) -> AffineQuantization {
        let halves = (0..<2).map { half in
            (0..<histogram.channels).map { histogram.distribution($0, half: half) }
        }
        let isRelu = activation == .relu6
        let fits = halves.map { fit($0, isRelu: isRelu) }
        var best = (cost: Double.infinity, policy: Policy.all[0])
        for policy in Policy.all {
            var cost = 0.0
            for half in 0..<2 {
                let steps = fits[half].steps(policy, isRelu: isRelu)
                let zeroPoint = Double(fits[half].zeroPoint)
                for (channel, distribution) in halves[1 - half].enumerated() {
                    let step = steps[channel]
                    cost +=
                        gains[channel]
                        * distribution.squaredError(
                            step: step, from: -zeroPoint * step, to: (255 - zeroPoint) * step)
                }
            }
            if cost < best.cost { best = (cost, policy) }
        }
        let whole = fit((0..<histogram.channels).map { histogram.distribution($0) }, isRelu: isRelu)
        return AffineQuantization(
            scales: whole.steps(best.policy, isRelu: isRelu).map { Float($0) }, zeroPoint: UInt8(whole.zeroPoint))
    }

    /// The smallest steps with which every channel's range is reached.
    private struct Fit {
        let zeroPoint: Int
        let own: [Double]

        func steps(_ policy: Policy, isRelu: Bool) -> [Double] {
            let widest = max(own.max() ?? 0, 1e-8)
            return own.map {
                let step = policy.margin * widest * pow(max($0 / widest, leastShare), policy.share)
                return isRelu ? min(step, reluLimit) : step
            }
        }
    }

    private func fit(_ distributions: [Distribution], isRelu: Bool) -> Fit {
        let ranges = distributions.map(method.range)
        let zeroPoint = isRelu ? 0 : Self.zeroPoint(ranges)
        return Fit(
            zeroPoint: zeroPoint,
            own: ranges.map { range in
                max(range.high / Double(255 - zeroPoint), zeroPoint > 0 ? -range.low / Double(zeroPoint) : 0)
            })
    }

    /// The zero point with which the squares of all channels' steps add up to the least.
    private static func zeroPoint(_ ranges: [(low: Double, high: Double)]) -> Int {
        var best = (cost: Double.infinity, zeroPoint: 0)
        for zeroPoint in 0...254 {
            var cost = 0.0
            for range in ranges {
                var step = range.high / Double(255 - zeroPoint)
                if range.low < 0 { step = max(step, zeroPoint == 0 ? .infinity : -range.low / Double(zeroPoint)) }
                cost += step * step
            }
            if cost < best.cost { best = (cost, zeroPoint) }
        }
        return best.zeroPoint
    }
}
