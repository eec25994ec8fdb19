/// Where each intermediate tensor lies in the one block of memory that a session has for them: tensors that are never
/// alive at the same time share their place.
struct MemoryPlan: Sendable {
    struct Tensor: Sendable {
        /// Units: floats.
        var size: Int
        /// The steps from the one that writes the tensor to the last that reads it.
        var lifetime: ClosedRange<Int>
    }

    /// Units: floats, a multiple of 16 each.
    let offsets: [Int]
    /// Units: floats.
    let total: Int

    /// Places the largest tensors first, each at the lowest offset that is free during its life.
    init(_ tensors: [Tensor]) {
        var offsets = [Int](repeating: 0, count: tensors.count)
        var placed: [Int] = []
        var total = 0
        for index in tensors.indices.sorted(by: { (tensors[$0].size, $1) > (tensors[$1].size, $0) }) {
            let size = (tensors[index].size + 15) / 16 * 16
            let neighbours =
                placed.filter { tensors[$0].lifetime.overlaps(tensors[index].lifetime) }
                .sorted { offsets[$0] < offsets[$1] }
            var offset = 0
            for neighbour in neighbours {
                if offset + size <= offsets[neighbour] { break }
                offset = max(offset, offsets[neighbour] + (tensors[neighbour].size + 15) / 16 * 16)
            }
            offsets[index] = offset
            total = max(total, offset + size)
            placed.append(index)
        }
        self.offsets = offsets
        self.total = total
    }
}
