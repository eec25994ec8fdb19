import CKernels
import Tensors

/// Weights and bias of a dense layer in the order in which `f32_gemm` reads them.
///
/// Layout: panels of the table's choice, each `bias[NR]`, then `[depth][NR]`; columns past the last are zero.
public final class PackedMatrix: PackedPanels, @unchecked Sendable {  // immutable after init
    public let table: KernelTable
    /// Output channels.
    public let columns: Int
    /// Length of a dot product: taps × run.
    public let depth: Int
    /// Vectors that hold all columns.
    public let vectors: Int
    public let tile: GEMMTile
    /// Whether products fetch each panel during the one before.
    let fetchesAhead: Bool
    private let storage: AlignedBuffer<Float>
    /// Weights and biases as packed. Units: floats.
    public var packedCount: Int { storage.count }
    /// What the packed weights and biases take.
    public var bytes: Int { 4 * packedCount }

    /// Packs with the depth in the order tap, input.
    ///
    /// - Parameters:
    ///   - weights: `[columns][inputs][taps]`.
    ///   - bias: `[columns]`.
    public init(
        table: KernelTable, columns: Int, inputs: Int, taps: Int = 1, weights: [Float], bias: [Float],
        tile: GEMMTile = .standard
    ) {
        precondition(bias.count == columns, "\(bias.count) biases for \(columns) columns")
        precondition(weights.count == columns * inputs * taps, "\(weights.count) weights for another shape")
        let depth = taps * inputs
        self.table = table
        self.columns = columns
        self.tile = tile
        self.depth = depth
        vectors = table.vectors(for: columns)
        let width = table.vectorWidth
        storage = AlignedBuffer(count: vectors * width * (depth + 1))
        fetchesAhead = table.fetchesAhead(4 * storage.count)
        var to = storage.pointer
        weights.withUnsafeBufferPointer { weights in
            table.forEachPanel(of: vectors, widest: tile.panelVectors) { firstVector, panelVectors in
                let first = firstVector * width
                let size = panelVectors * width
                let valid = min(size, columns - first)
                for j in 0..<valid { to[j] = bias[first + j] }
                to += size
                for tap in 0..<taps {
                    for input in 0..<inputs {
                        var from = weights.baseAddress! + first * depth + input * taps + tap
                        for j in 0..<valid {
                            to[j] = from.pointee
                            from += depth
                        }
                        to += size
                    }
                }
            }
        }
    }

    /// Where the panel that begins with vector `firstVector` lies.
    /// - Precondition: a panel begins there.
    public func panel(startingAt firstVector: Int) -> UnsafePointer<Float> {
        UnsafePointer(storage.pointer + firstVector * table.vectorWidth * (depth + 1))
    }

    /// The weights of one output as they were before packing, `[depth]`.
    public func weights(ofColumn column: Int) -> [Float] {
        precondition((0..<columns).contains(column), "column \(column) of \(columns)")
        let width = table.vectorWidth
        var weights: [Float] = []
        table.forEachPanel(of: vectors, widest: tile.panelVectors) { first, panelVectors in
            guard (first..<first + panelVectors).contains(column / width) else { return }
            // Behind the panel's bias.
            let start = panel(startingAt: first) + panelVectors * width + column - first * width
            weights = (0..<depth).map { start[$0 * panelVectors * width] }
        }
        return weights
    }

    /// Cuts the columns into at most `count` groups that begin and end between panels: `(first, vectors)` each.
    public func groups(atMost count: Int) -> [(first: Int, vectors: Int)] {
        var panels: [(first: Int, vectors: Int)] = []
        table.forEachPanel(of: vectors, widest: tile.panelVectors) { panels.append(($0, $1)) }
        return panels.groups(atMost: count)
    }
}

/// Weights and bias of a depthwise convolution in the order in which `f32_depthwise` reads them.
///
/// Layout: for each vector of channels `bias[W]`, then `[kernel · kernel][W]`; channels past the last are zero.
public final class PackedDepthwise: @unchecked Sendable {  // immutable after init
    public let table: KernelTable
    public let channels: Int
    public let kernel: Int
    public let vectors: Int
    private let storage: AlignedBuffer<Float>
    /// What the packed weights and biases take.
    public var bytes: Int { 4 * storage.count }

    /// - Parameters:
    ///   - weights: `[channels][kernel][kernel]`.
    ///   - bias: `[channels]`.
    public init(table: KernelTable, channels: Int, kernel: Int, weights: [Float], bias: [Float]) {
        let taps = kernel * kernel
        precondition(weights.count == channels * taps && bias.count == channels, "depthwise weights of another shape")
        self.table = table
        self.channels = channels
        self.kernel = kernel
        vectors = table.vectors(for: channels)
        let width = table.vectorWidth
        storage = AlignedBuffer(count: vectors * width * (taps + 1))
        for channel in 0..<channels {
            let block = storage.pointer + channel / width * width * (taps + 1) + channel % width
            block[0] = bias[channel]
            for tap in 0..<taps { block[(tap + 1) * width] = weights[channel * taps + tap] }
        }
    }

    /// Where the block of vector `vector` lies.
    public func block(at vector: Int) -> UnsafePointer<Float> {
        UnsafePointer(storage.pointer + vector * table.vectorWidth * (kernel * kernel + 1))
    }
}
