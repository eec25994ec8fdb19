/// Rounds weights one after the other and lets those still to come make up for what the earlier ones were rounded by.
///
/// With H the inputs' second moments and H = (I + U) D (I + U)ᵀ, U strictly upper triangular, the weights' error e costs
/// eᵀHe = Σ D[k] · (e[k] + Σ_{j<k} U[j][k] · e[j])²: weight k is rounded from where the bracket is nearest to 0.
///
/// Source: the scheme is that of arXiv 2210.17323 (GPTQ) in the form of arXiv 2307.13304 (LDLQ).
/// Concurrency: immutable; shared by all threads.
struct ErrorFeedback: Sendable {
    /// Outputs, or steps, that are tried at once.
    typealias Lanes = SIMD16<Float>

    let count: Int
    /// Which weight comes k-th: those with the most energy first.
    private let order: [Int]
    /// `[k][j]`, j < k: U[j][k].
    private let feedback: [Float]
    /// D.
    private let importance: [Float]
    /// The places in the order of a weight's neighbours that come before it.
    private let neighbours: [[Int]]

    /// What damping adds to the diagonal of `moments`.
    static func added(_ moments: [Double], count: Int, damping: Double) -> Double {
        let trace = (0..<count).reduce(0.0) { $0 + moments[$1 * count + $1] }
        return max(damping * trace / Double(count), 1e-9)
    }

    /// - Parameters:
    ///   - moments: `[count][count]`, symmetric and positive semidefinite.
    ///   - damping: what is added to the diagonal, as a share of its mean.
    ///   - pairs: weights that are packed side by side.
    init(moments: [Double], count: Int, damping: Double, pairs: [(Int, Int)]) {
        self.count = count
        let added = Self.added(moments, count: count, damping: damping)
        let order = (0..<count).sorted {
            let (a, b) = (moments[$0 * count + $0], moments[$1 * count + $1])
            return a != b ? a > b : $0 < $1
        }
        var place = [Int](repeating: 0, count: count)
        for (k, index) in order.enumerated() { place[index] = k }
        var neighbours = [[Int]](repeating: [], count: count)
        for (a, b) in pairs { neighbours[max(place[a], place[b])].append(min(place[a], place[b])) }
        // In the lower triangle `rest[k][j]`, j ≤ k, what is left of H after the columns from the last on.
        var rest = [Double](repeating: 0, count: count * count)
        var feedback = [Float](repeating: 0, count: count * count)
        var importance = [Float](repeating: 0, count: count)
        rest.withUnsafeMutableBufferPointer { rest in
            for k in 0..<count {
                for j in 0...k { rest[k * count + j] = moments[order[k] * count + order[j]] }
                rest[k * count + k] += added
            }
            for k in Swift.stride(from: count - 1, through: 0, by: -1) {
                let pivot = max(rest[k * count + k], added * 1e-3)
                importance[k] = Float(pivot)
                let row = rest.baseAddress! + k * count
                for i in 0..<k {
                    let u = row[i] / pivot
                    feedback[k * count + i] = Float(u)
                    let target = rest.baseAddress! + i * count
                    for j in 0...i { target[j] -= u * row[j] }
                }
            }
        }
        self.order = order
        self.neighbours = neighbours
        self.feedback = feedback
        self.importance = importance
    }

    /// Rounds 16 sets of weights, `weights[index]` holding one of each, to multiples of `step`.
    ///
    /// - Returns: the whole numbers, by index, in -127…127 and under the pairs' limit; and what the error costs.
    func round(_ weights: [Lanes], step: Lanes) -> (whole: [Lanes], cost: Lanes) {
        var errors = [Lanes](repeating: .zero, count: count)
        var whole = [Lanes](repeating: .zero, count: count)  // in the order of rounding
        var cost = Lanes.zero
        errors.withUnsafeMutableBufferPointer { errors in
            whole.withUnsafeMutableBufferPointer { whole in
                feedback.withUnsafeBufferPointer { feedback in
                    for k in 0..<count {
                        let row = feedback.baseAddress! + k * count
                        var carried = Lanes.zero
                        for j in 0..<k { carried += errors[j] * row[j] }
                        let weight = weights[order[k]]
                        var limit = Lanes(repeating: 127)
                        for neighbour in neighbours[k] {
                            let other = whole[neighbour]
                            let magnitude = other.replacing(with: -other, where: other .< 0)
                            limit = pointwiseMin(limit, 128 - magnitude)
                        }
                        let target = weight - carried
                        let rounded = (target / step).rounded(.toNearestOrEven)
                        let value = pointwiseMax(pointwiseMin(rounded, limit), -limit)
                        whole[k] = value
                        let error = value * step - weight
                        errors[k] = error
                        let missed = error + carried
                        cost += missed * missed * importance[k]
                    }
                }
            }
        }
        var byIndex = [Lanes](repeating: .zero, count: count)
        for (k, index) in order.enumerated() { byIndex[index] = whole[k] }
        return (byIndex, cost)
    }
}
