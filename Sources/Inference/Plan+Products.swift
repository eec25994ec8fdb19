/// A matrix product as a plan's runs make it: rows × depth × columns.
public struct PlanProduct: Hashable, Sendable {
    /// In one call, of a single image.
    public let rows: Int
    public let depth: Int
    /// In one call.
    public let columns: Int
    /// Of one image, over all calls.
    public internal(set) var multiplyAccumulates: Int
}

extension Plan {
    /// The products of one image's convolutions of 1×1 in floating point, each shape once, in the order of the network.
    public var products: [PlanProduct] {
        if case .float(let plan) = network { plan.products } else { [] }
    }
}

extension FloatPlan {
    fileprivate var products: [PlanProduct] {
        var products: [PlanProduct] = []
        func add(rows: Int, depth: Int, columns: Int, pixels: Int, allColumns: Int) {
            let work = pixels * depth * allColumns
            if let same = products.firstIndex(where: { ($0.rows, $0.depth, $0.columns) == (rows, depth, columns) }) {
                products[same].multiplyAccumulates += work
            } else {
                products.append(
                    PlanProduct(rows: rows, depth: depth, columns: columns, multiplyAccumulates: work))
            }
        }
        for segment in segments {
            var isSliced = false
            var rowsAtOnce = 1
            switch segment.strategy {
            case .rows(let count): rowsAtOnce = count
            case .slices: isSliced = true
            }
            if let front = segment.front, front.kernel == 1 {
                let slice = segment.slices[0].vectors * table.vectorWidth
                add(
                    rows: isSliced ? segment.middle.pixels : segment.middle.width, depth: front.matrix.depth,
                    columns: isSliced ? min(slice, front.matrix.columns) : front.matrix.columns,
                    pixels: segment.middle.pixels, allColumns: front.matrix.columns)
            }
            if let projection = segment.projection {
                let rows = isSliced || segment.storesInner ? 56 : rowsAtOnce * segment.output.width
                add(
                    rows: min(rows, segment.output.pixels), depth: projection.depth, columns: projection.columns,
                    pixels: segment.output.pixels, allColumns: projection.columns)
            }
        }
        let pixels = segments[segments.count - 1].output.pixels
        add(rows: pixels, depth: head.depth, columns: head.columns, pixels: pixels, allColumns: head.columns)
        add(
            rows: 1, depth: classifier.depth, columns: classifier.columns, pixels: 1, allColumns: classifier.columns)
        return products
    }
}
