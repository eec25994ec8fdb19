/// How often each channel of a tensor has which values, in two halves of the pictures.
struct ChannelHistogram: Sendable {
    static let binCount = 512

    /// `[channels]`: the least and the greatest value; 0 lies between them.
    private(set) var least: [Float]
    private(set) var greatest: [Float]
    /// Whether all values so far, and the distances between them, are.
    var isFinite: Bool { hasOnlyNumbers && zip(least, greatest).allSatisfy { ($1 - $0).isFinite } }
    private var hasOnlyNumbers = true
    /// `[2][channels][binCount]`, from the least value to the greatest; empty until `beginCounting`.
    private var counts: [UInt32] = []

    init(channels: Int) {
        least = [Float](repeating: 0, count: channels)
        greatest = [Float](repeating: 0, count: channels)
    }

    var channels: Int { least.count }

    /// First pass: widens the ranges.
    mutating func widen(_ picture: Picture) {
        var sum: Float = 0  // 0 · value is 0 of every finite value, and no number of any other
        least.withUnsafeMutableBufferPointer { least in
            greatest.withUnsafeMutableBufferPointer { greatest in
                picture.values.withUnsafeBufferPointer { values in
                    for pixel in 0..<picture.pixels {
                        let start = pixel * picture.stride
                        for channel in least.indices {
                            let value = values[start + channel]
                            least[channel] = min(least[channel], value)
                            greatest[channel] = max(greatest[channel], value)
                            sum += 0 * value
                        }
                    }
                }
            }
        }
        if sum != 0 { hasOnlyNumbers = false }
    }

    mutating func widen(_ other: ChannelHistogram) {
        for channel in 0..<channels {
            least[channel] = min(least[channel], other.least[channel])
            greatest[channel] = max(greatest[channel], other.greatest[channel])
        }
        hasOnlyNumbers = hasOnlyNumbers && other.hasOnlyNumbers
    }

    /// Ends the first pass. A channel whose range is too narrow to be divided is one that never moves.
    mutating func beginCounting() {
        for channel in 0..<channels where !(Float(Self.binCount) / (greatest[channel] - least[channel])).isFinite {
            (least[channel], greatest[channel]) = (0, 0)
        }
        counts = [UInt32](repeating: 0, count: 2 * channels * Self.binCount)
    }

    /// Second pass: counts the values of a picture of one half.
    /// - Precondition: `isFinite`, and the picture was seen by the first pass.
    mutating func count(_ picture: Picture, half: Int) {
        let scale = (0..<channels).map { channel in
            let range = greatest[channel] - least[channel]
            return range > 0 ? Float(Self.binCount) / range : 0
        }
        let first = half * channels * Self.binCount
        counts.withUnsafeMutableBufferPointer { counts in
            picture.values.withUnsafeBufferPointer { values in
                for pixel in 0..<picture.pixels {
                    let start = pixel * picture.stride
                    for channel in scale.indices {
                        let bin = Int((values[start + channel] - least[channel]) * scale[channel])
                        counts[first + channel * Self.binCount + max(0, min(Self.binCount - 1, bin))] += 1
                    }
                }
            }
        }
    }

    mutating func add(_ other: ChannelHistogram) {
        for i in counts.indices { counts[i] += other.counts[i] }
    }

    /// One channel's values in one half, or in both.
    func distribution(_ channel: Int, half: Int? = nil) -> Distribution {
        let low = Double(least[channel])
        let width = (Double(greatest[channel]) - low) / Double(Self.binCount)
        var sums = [Double](repeating: 0, count: Self.binCount)
        for part in 0..<2 where half == nil || half == part {
            let first = (part * channels + channel) * Self.binCount
            for bin in 0..<Self.binCount { sums[bin] += Double(counts[first + bin]) }
        }
        return Distribution(low: low, width: width, counts: sums)
    }
}

/// How often values occur: in bins of equal width, with 0 between the ends.
struct Distribution {
    let low: Double
    /// Of a bin.
    let width: Double
    let counts: [Double]

    /// The least and the greatest value, as far as the bins tell; 0 is between them.
    var range: (low: Double, high: Double) { range(outside: 0) }

    /// The range outside of which, on each side, no more than a share of the values lies.
    func range(outside share: Double) -> (low: Double, high: Double) {
        guard width > 0 else { return (0, 0) }
        let limit = counts.reduce(0, +) * share
        let below = Self.bins(counts, holding: limit)
        let above = Self.bins(counts.reversed(), holding: limit)
        return (min(0, low + width * Double(below)), max(0, low + width * Double(counts.count - above)))
    }

    /// How many bins from the first on hold no more than `limit`.
    private static func bins(_ counts: some Sequence<Double>, holding limit: Double) -> Int {
        var sum = 0.0
        var bins = 0
        for count in counts {
            sum += count
            if sum > limit { break }
            bins += 1
        }
        return bins
    }

    /// The sum of squares of what steps of `step`, from `from` to `to`, leave of the values. 0 itself is met exactly.
    func squaredError(step: Double, from: Double, to: Double) -> Double {
        var cost = 0.0
        for (bin, count) in counts.enumerated() where count > 0 {
            let start = low + Double(bin) * width
            if start <= 0 && start + width > 0 { continue }
            let value = start + width / 2
            let excess = value < from ? from - value : value > to ? value - to : 0
            cost += count * (excess * excess + step * step / 12)
        }
        return cost
    }
}
