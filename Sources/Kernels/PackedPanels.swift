/// Weights in panels that lie one behind the other, of which a product reads all or a group: `(first, vectors)`.
protocol PackedPanels {
    associatedtype Element
    /// Vectors that hold all columns.
    var vectors: Int { get }
    /// Where the panel that begins with vector `firstVector` lies.
    func panel(startingAt firstVector: Int) -> UnsafePointer<Element>
}

extension PackedPanels {
    /// What lies behind the panels of `group`, if anything.
    @inline(__always)
    func following(_ group: (first: Int, vectors: Int)?) -> UnsafeRawPointer? {
        guard let group, group.first + group.vectors < vectors else { return nil }
        return UnsafeRawPointer(panel(startingAt: group.first + group.vectors))
    }
}

extension [(first: Int, vectors: Int)] {
    /// Joins panels that follow one another into at most `count` groups: `(first, vectors)` each.
    func groups(atMost count: Int) -> [(first: Int, vectors: Int)] {
        let groupCount = Swift.max(1, Swift.min(count, self.count))
        return (0..<groupCount).map { i in
            let range = (i * self.count / groupCount)..<((i + 1) * self.count / groupCount)
            let first = self[range.lowerBound].first
            let last = self[range.upperBound - 1]
            return (first, last.first + last.vectors - first)
        }
    }
}
