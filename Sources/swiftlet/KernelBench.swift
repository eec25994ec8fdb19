import Inference
import Kernels
import Parallelism

/// `bench --kernels`: how fast each tile makes each of a plan's products, on one thread, beside the table's choice.
struct KernelBench: Encodable {
    struct Product: Encodable {
        let rows, depth, columns: Int
        /// Of the plan's multiply-accumulates, in 0…1.
        let share: Double
        /// The fastest first.
        let candidates: [Candidate]
    }

    struct Candidate: Encodable {
        /// Rows and vectors: `14×2`.
        let tile: String
        /// What the engine uses.
        let isPicked: Bool
        let microseconds: Double
        let gflops: Double
    }

    let model: String
    let isa: String
    let products: [Product]
    /// How much sooner all products together would be made if each took its fastest tile, in 0…1.
    let gain: Double

    /// - Parameter seconds: for all measurements together, about.
    init(model: String, plan: Plan, seconds: Double) {
        self.model = model
        isa = plan.table.isa
        let products = plan.products
        let tiles = [GEMMTile.standard] + plan.table.tiles
        let each = seconds / Double(products.count * tiles.count)
        let total = products.map(\.multiplyAccumulates).reduce(0, +)
        var (now, best) = (0.0, 0.0)
        self.products = products.map { product in
            let operations = 2 * Double(product.rows * product.depth * product.columns)
            let times = Self.bestSeconds(product, tiles: tiles, table: plan.table, seconds: each)
            let candidates = zip(tiles, times).map { tile, seconds in
                Candidate(
                    tile: tile == .standard ? "standard" : "\(tile.rows)×\(tile.panelVectors)",
                    isPicked: tile == .standard, microseconds: 1e6 * seconds, gflops: 1e-9 * operations / seconds)
            }
            let calls = 2 * Double(product.multiplyAccumulates) / operations
            now += calls * times[0]
            best += calls * times.min()!
            return Product(
                rows: product.rows, depth: product.depth, columns: product.columns,
                share: Double(product.multiplyAccumulates) / Double(total),
                candidates: candidates.sorted { $0.microseconds < $1.microseconds })
        }
        gain = 1 - best / now
    }

    /// The shortest time of each tile; they take turns, so that all see the same machine.
    private static func bestSeconds(
        _ product: PlanProduct, tiles: [GEMMTile], table: KernelTable, seconds: Double
    ) -> [Double] {
        let (rows, depth, columns) = (product.rows, product.depth, product.columns)
        let weights = EngineBenchmark.noise(count: columns * depth, scale: 1)
        let bias = [Float](repeating: 0, count: columns)
        let matrices = tiles.map {
            PackedMatrix(table: table, columns: columns, inputs: depth, weights: weights, bias: bias, tile: $0)
        }
        let stride = channelStride(columns)
        var input = EngineBenchmark.noise(count: rows * channelStride(depth), scale: 1)
        var output = [Float](repeating: 0, count: rows * stride)
        let offsets = (0..<rows).map { UInt32($0 * stride) }
        let clock = MonotonicClock()
        var best = [Double](repeating: .infinity, count: tiles.count)
        let begin = clock.now()
        let calls = max(1, 1_000_000 / (rows * depth * columns))
        repeat {
            for (index, matrix) in matrices.enumerated() {
                let start = clock.now()
                input.withUnsafeMutableBufferPointer { input in
                    output.withUnsafeMutableBufferPointer { output in
                        offsets.withUnsafeBufferPointer { offsets in
                            for _ in 0..<calls {
                                // Any offset that is 0 serves as the one tap.
                                matrix.multiplyUnsafe(
                                    UnsafeStridedRows(input.baseAddress!, stride: channelStride(depth)),
                                    taps: UnsafeTaps(offsets: offsets.baseAddress!, count: 1, run: depth),
                                    into: UnsafeRows(output.baseAddress!, offsets.baseAddress!), rows: rows,
                                    activation: .relu6)
                            }
                        }
                    }
                }
                best[index] = min(best[index], clock.now().seconds(since: start) / Double(calls))
            }
        } while clock.now().seconds(since: begin) < seconds * Double(tiles.count)
        return best
    }

    var text: String {
        var table = TextTable([
            ("rows×depth×columns", .left), ("of all", .right), ("picked", .right), ("GFLOP/s", .right),
            ("candidates, rows×vectors: GFLOP/s", .left),
        ])
        for product in products {
            let picked = product.candidates.first(where: \.isPicked)!
            let others = product.candidates.filter { !$0.isPicked }
                .map { "\($0.tile) \(NumberText.fixed($0.gflops, 0))" }
            table.add([
                "\(product.rows)×\(product.depth)×\(product.columns)", NumberText.percent(product.share), picked.tile,
                NumberText.fixed(picked.gflops, 0), others.joined(separator: " · "),
            ])
        }
        return "\(model), \(isa): each product's fastest tile would save \(NumberText.percent(gain)) of their time\n"
            + table.text
    }
}
