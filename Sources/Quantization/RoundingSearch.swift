import Inference

/// Improves rounded weights: changes one of them by 1, or two at once, as long as their error costs less for it.
///
/// What `ErrorFeedback` gives is decided weight by weight, and the last ones have nobody left to make up for them: a
/// kernel whose taps add up to nothing may end one step away from that, and then answers to brightness.
///
/// - Complexity: `count`² attempts a sweep.
/// Concurrency: immutable; shared by all threads.
struct RoundingSearch: Sendable {
    /// Of more weights than this the attempts are too many, and few of them find anything.
    static let mostWeights = 160

    let count: Int
    /// `[count][count]`: the inputs' second moments, damped.
    private let moments: [Double]
    /// The weights that are packed beside each.
    private let neighbours: [[Int]]

    /// - Parameters: as `ErrorFeedback` has them, which this one's costs agree with.
    init(moments: [Double], count: Int, damping: Double, pairs: [(Int, Int)]) {
        self.count = count
        var damped = moments
        let added = ErrorFeedback.added(moments, count: count, damping: damping)
        for i in 0..<count { damped[i * count + i] += added }
        self.moments = damped
        var neighbours = [[Int]](repeating: [], count: count)
        for (a, b) in pairs {
            neighbours[a].append(b)
            neighbours[b].append(a)
        }
        self.neighbours = neighbours
    }

    /// Sweeps over all weights, at most; a handful is the rule.
    private static let mostSweeps = 32

    /// Weight `first` by ±1, and with it weight `second`, which is the same where there is one only.
    private struct Change {
        var first: Int
        var sign: Int
        var second: Int
        var secondSign: Int
        /// What the cost grows by.
        var growth: Double
    }

    /// - Parameters:
    ///   - whole: `[count]`, under the limits, and so afterwards.
    ///   - weights: `[count]`, what `whole` · `step` stands for.
    /// - Returns: what the error costs.
    func improve(_ whole: inout [Int], weights: [Float], step: Float) -> Double {
        let errors = (0..<count).map { Double(whole[$0]) - Double(weights[$0]) / Double(step) }
        // moments · errors, all in steps.
        var slopes = [Double](repeating: 0, count: count)
        for i in 0..<count { add(errors[i], i, to: &slopes) }
        var cost = (0..<count).reduce(0) { $0 + errors[$1] * slopes[$1] }
        for _ in 0..<Self.mostSweeps {
            var hasChanged = false
            for i in 0..<count {
                for sign in [1, -1] {
                    guard let change = bestChange(i, sign, whole, slopes) else { continue }
                    whole[i] += sign
                    add(Double(sign), i, to: &slopes)
                    if change.second != i {
                        whole[change.second] += change.secondSign
                        add(Double(change.secondSign), change.second, to: &slopes)
                    }
                    cost += change.growth
                    hasChanged = true
                }
            }
            if !hasChanged { break }
        }
        return cost * Double(step) * Double(step)
    }

    /// The one that lowers the cost most of those that change weight `i` by `sign`.
    private func bestChange(_ i: Int, _ sign: Int, _ whole: [Int], _ slopes: [Double]) -> Change? {
        moments.withUnsafeBufferPointer { moments in
            slopes.withUnsafeBufferPointer { slopes in
                let row = i * count
                let own = 2 * Double(sign) * slopes[i] + moments[row + i]
                // What is less than this is the rounding of the numbers here.
                var best = Change(first: i, sign: sign, second: i, secondSign: 0, growth: -1e-9 * moments[row + i])
                let least = best.growth
                if own < best.growth, fits(whole, best) { best.growth = own }
                for j in 0..<count where j != i {
                    let slope = 2 * (slopes[j] + Double(sign) * moments[row + j])
                    // Of both signs, for the limits may forbid the better one.
                    for secondSign in stride(from: 1, through: -1, by: -2) {
                        let growth = own + Double(secondSign) * slope + moments[j * count + j]
                        guard growth < best.growth else { continue }
                        let change = Change(first: i, sign: sign, second: j, secondSign: secondSign, growth: growth)
                        if fits(whole, change) { best = change }
                    }
                }
                return best.growth < least ? best : nil
            }
        }
    }

    private func add(_ change: Double, _ i: Int, to slopes: inout [Double]) {
        for j in 0..<count { slopes[j] += change * moments[i * count + j] }
    }

    /// Whether the limits allow a change.
    private func fits(_ whole: [Int], _ change: Change) -> Bool {
        func magnitude(_ k: Int) -> Int {
            abs(whole[k] + (k == change.first ? change.sign : k == change.second ? change.secondSign : 0))
        }
        func fits(_ k: Int) -> Bool {
            magnitude(k) <= 127
                && neighbours[k].allSatisfy { magnitude(k) + magnitude($0) <= QuantizedLayer.pairLimit }
        }
        return fits(change.first) && fits(change.second)
    }
}
