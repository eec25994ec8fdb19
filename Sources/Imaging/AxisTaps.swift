import CImageCodecs

/// Along one axis: which source pixels each output is made of, and with what weights.
///
/// Numerics: the weights are Pillow's to the bit: normalised in double, then rounded to 22 bits of fraction.
/// Source: Pillow's `precompute_coeffs` and `normalize_coeffs_8bpc`.
struct AxisTaps {
    /// The first source pixel of each output.
    private(set) var first: [Int32] = []
    /// How many source pixels have a weight, for each output.
    private(set) var counts: [Int32] = []
    /// Layout: `[outputs][tapCount]`, zero after an output's count.
    private(set) var weights: [Int32] = []
    /// Taps stored for each output: the greatest count, rounded up.
    private(set) var tapCount = 0
    private var scratch: [Double] = []
    /// What the taps were computed for, and from which source pixel on they count.
    private var task: Task?
    private var origin = 0

    private struct Task: Equatable {
        var axis: Axis
        var filter: ResamplingFilter
        var tapMultiple: Int
    }

    /// One axis of a resize, in the order of the picture after orientation.
    struct Axis: Equatable {
        /// Pixels of the stored axis.
        var sourceLength: Int
        /// The part of the source that the resize covers, which a reduced decode may end inside of its last pixel.
        var coveredLength: Float
        var resizedLength: Int
        /// Outputs wanted, in the resized picture.
        var kept: Range<Int>
        /// Whether the axis runs against the stored one.
        var isMirrored: Bool
    }

    /// Computes the taps, unless the last ones were the same, within the memory of the last ones where that suffices.
    ///
    /// `tapMultiple` is what the pass that reads them wants.
    /// - Returns: Whether the weights are new.
    @discardableResult
    mutating func compute(_ axis: Axis, filter: ResamplingFilter, tapMultiple: Int) -> Bool {
        let task = Task(axis: axis, filter: filter, tapMultiple: tapMultiple)
        if self.task == task {
            rebase(to: 0)
            return false
        }
        self.task = task
        origin = 0
        let boxStart = axis.isMirrored ? Float(axis.sourceLength) - axis.coveredLength : 0
        let boxEnd = boxStart + axis.coveredLength
        let scale = Double(boxEnd - boxStart) / Double(axis.resizedLength)
        let filterScale = max(scale, 1)
        let support = filter.support * filterScale
        let inverse = 1 / filterScale

        func centre(_ output: Int) -> Double { Double(boxStart) + (Double(output) + 0.5) * scale }
        func window(_ output: Int) -> Range<Int> {
            let lower = max(Int(centre(output) - support + 0.5), 0)
            return lower..<max(min(Int(centre(output) + support + 0.5), axis.sourceLength), lower)
        }

        let widest = axis.kept.reduce(1) { max($0, window($1).count) }
        tapCount = (widest + tapMultiple - 1) / tapMultiple * tapMultiple
        first.removeAll(keepingCapacity: true)
        counts.removeAll(keepingCapacity: true)
        weights.removeAll(keepingCapacity: true)
        weights.reserveCapacity(axis.kept.count * tapCount)
        for output in axis.kept {
            let taps = window(output)
            scratch.removeAll(keepingCapacity: true)
            var sum = 0.0
            for tap in taps {
                let weight = filter.weight(at: (Double(tap) - centre(output) + 0.5) * inverse)
                scratch.append(weight)
                sum += weight
            }
            first.append(Int32(axis.isMirrored ? axis.sourceLength - taps.upperBound : taps.lowerBound))
            counts.append(Int32(taps.count))
            if axis.isMirrored { scratch.reverse() }
            for weight in scratch {
                weights.append(Self.fixedPoint(sum != 0 ? weight / sum : weight))
            }
            for _ in taps.count..<tapCount { weights.append(0) }
        }
        return true
    }

    private static func fixedPoint(_ weight: Double) -> Int32 {
        Int32(weight * Double(1 << CIC_RESAMPLE_BITS) + (weight < 0 ? -0.5 : 0.5))
    }

    /// The source pixels that the outputs are made of.
    var sourceRange: Range<Int> {
        var lower = Int.max
        var upper = 0
        for index in first.indices {
            lower = min(lower, Int(first[index]))
            upper = max(upper, end(of: index))
        }
        return lower..<upper
    }

    /// One past the last source pixel of an output.
    func end(of output: Int) -> Int { Int(first[output]) + Int(counts[output]) }

    /// Counts source pixels from `origin` on.
    mutating func rebase(to origin: Int) {
        let shift = Int32(origin - self.origin)
        self.origin = origin
        guard shift != 0 else { return }
        for index in first.indices { first[index] -= shift }
    }
}
