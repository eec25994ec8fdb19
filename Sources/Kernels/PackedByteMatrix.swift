import CKernels
import Tensors

/// What turns the 32-bit sums of a layer in bytes into its output, a value for each output channel.
public struct ByteEpilogue {
    public var offsets: [Int32]
    public var multipliers: [Float]
    /// Empty unless the activation is SiLU.
    public var reciprocals: [Float]
    /// Empty unless the activation is SiLU.
    public var addends: [Float]
    /// Empty where no residual is added.
    public var residualMultipliers: [Float]
    public var activation: KernelActivation

    public init(
        offsets: [Int32], multipliers: [Float], reciprocals: [Float], addends: [Float], residualMultipliers: [Float],
        activation: KernelActivation
    ) {
        self.offsets = offsets
        self.multipliers = multipliers
        self.reciprocals = reciprocals
        self.residualMultipliers = residualMultipliers
        self.activation = activation
        self.addends = addends
    }

    /// Writes the header of a panel: `lanes` lanes of channels from `first` on for each of its parts.
    func writeHeader(first: Int, lanes: Int, to header: UnsafeMutablePointer<UInt32>) {
        for lane in 0..<min(lanes, offsets.count - first) {
            header[lane] = UInt32(bitPattern: offsets[first + lane])
            header[lanes + lane] = multipliers[first + lane].bitPattern
            for (part, values) in [reciprocals, addends, residualMultipliers].enumerated() where !values.isEmpty {
                header[(2 + part) * lanes + lane] = values[first + lane].bitPattern
            }
        }
    }
}

/// Weights of a dense layer in bytes, in the order in which the table's products read them.
///
/// Layout: panels of the table's choice, each the header's vectors, then `[taps][groups of 4 inputs][columns][4]`;
/// columns and inputs past the last are zero.
public final class PackedByteMatrix: PackedPanels, @unchecked Sendable {  // immutable after init
    public let table: KernelTable
    /// Output channels.
    public let columns: Int
    public let taps: Int
    /// Groups of four bytes in a tap's run.
    public let groups: Int
    /// Vectors that hold all columns.
    public let vectors: Int
    public let activation: KernelActivation
    /// Whether products fetch each panel during the one before.
    let fetchesAhead: Bool
    private let storage: AlignedBuffer<UInt32>

    /// - Parameters:
    ///   - run: inputs of a tap.
    ///   - weights: `[columns][taps][run]`.
    public init(table: KernelTable, columns: Int, taps: Int, run: Int, weights: [Int8], epilogue: ByteEpilogue) {
        precondition(weights.count == columns * taps * run, "\(weights.count) weights for another shape")
        precondition(epilogue.offsets.count == columns && epilogue.multipliers.count == columns, "another shape")
        let table = table.forByteProducts(depth: taps * run)
        self.table = table
        self.columns = columns
        self.taps = taps
        groups = (run + 3) / 4
        activation = epilogue.activation
        let lanes = table.vectorWidth
        vectors = table.vectors(for: columns)
        let depth = taps * groups
        storage = AlignedBuffer(count: vectors * lanes * (Int(U8_PANEL_HEADER) + depth))
        fetchesAhead = table.fetchesAhead(4 * storage.count)
        var to = storage.pointer
        weights.withUnsafeBufferPointer { weights in
            table.forEachBytePanel(of: vectors) { firstVector, panelVectors in
                let first = firstVector * lanes
                let size = panelVectors * lanes
                epilogue.writeHeader(first: first, lanes: size, to: to)
                to += Int(U8_PANEL_HEADER) * size
                let bytes = UnsafeMutableRawPointer(to).bindMemory(to: Int8.self, capacity: 4 * size * depth)
                for column in 0..<min(size, columns - first) {
                    for tap in 0..<taps {
                        let from = weights.baseAddress! + ((first + column) * taps + tap) * run
                        for input in 0..<run {
                            bytes[((tap * groups + input / 4) * size + column) * 4 + input % 4] = from[input]
                        }
                    }
                }
                to += depth * size
            }
        }
    }

    /// Of the packed weights.
    public var bytes: Int { 4 * storage.count }

    func panel(startingAt firstVector: Int) -> UnsafePointer<UInt32> {
        UnsafePointer(storage.pointer + firstVector * table.vectorWidth * (Int(U8_PANEL_HEADER) + taps * groups))
    }

    /// The weights of one output in real units of what the product gives for a step of the input, `[taps][4 · groups]`:
    /// those of a tap's run, then zeros.
    public func weights(ofColumn column: Int) -> [Float] {
        precondition((0..<columns).contains(column), "column \(column) of \(columns)")
        let lanes = table.vectorWidth
        var weights: [Float] = []
        table.forEachBytePanel(of: vectors) { first, panelVectors in
            guard (first..<first + panelVectors).contains(column / lanes) else { return }
            let size = panelVectors * lanes
            let lane = column - first * lanes
            let header = panel(startingAt: first)
            let scale = Float(bitPattern: header[size + lane])
            let bytes = UnsafeRawPointer(header + Int(U8_PANEL_HEADER) * size).assumingMemoryBound(to: Int8.self)
            weights = (0..<taps * groups * 4).map { scale * Float(bytes[($0 / 4 * size + lane) * 4 + $0 % 4]) }
        }
        return weights
    }

    /// Cuts the columns into at most `count` groups that begin and end between panels: `(first, vectors)` each.
    public func groups(atMost count: Int) -> [(first: Int, vectors: Int)] {
        var panels: [(first: Int, vectors: Int)] = []
        table.forEachBytePanel(of: vectors) { panels.append(($0, $1)) }
        return panels.groups(atMost: count)
    }
}

/// Weights of a depthwise convolution in bytes, in the order in which the table's kernel reads them.
///
/// Layout: for each vector of channels the header, then the weights as `u8_depthwise` says; channels past the last are
/// zero.
public final class PackedByteDepthwise: @unchecked Sendable {  // immutable after init
    public let table: KernelTable
    public let channels: Int
    public let kernel: Int
    public let stride: Int
    public let left: Int
    public let vectors: Int
    public let activation: KernelActivation
    private let blockSize: Int
    private let storage: AlignedBuffer<UInt32>

    /// - Parameters:
    ///   - left: columns of padding before the first.
    ///   - weights: `[channels][kernel][kernel]`.
    /// - Precondition: the kernel is 3 or 5, the stride 1 or 2, and `left` half of the kernel or with stride 2 one less.
    public init(
        table: KernelTable, channels: Int, kernel: Int, stride: Int, left: Int, weights: [Int8], epilogue: ByteEpilogue
    ) {
        precondition(kernel == 3 || kernel == 5, "no depthwise kernel of \(kernel)×\(kernel)")
        precondition(
            stride == 1 && left == kernel / 2 || stride == 2 && (left == kernel / 2 || left == kernel / 2 - 1),
            "no depthwise kernel with stride \(stride) and \(left) columns of padding")
        precondition(weights.count == channels * kernel * kernel, "depthwise weights of another shape")
        self.table = table
        self.channels = channels
        self.kernel = kernel
        self.stride = stride
        self.left = left
        activation = epilogue.activation
        let lanes = table.vectorWidth
        vectors = table.vectors(for: channels)
        let taps = u8_depthwise_tap_vectors(Int32(kernel), Int32(stride), Int32(left))
        blockSize = lanes * (Int(U8_PANEL_HEADER) + taps)
        storage = AlignedBuffer(count: vectors * blockSize)
        for vector in 0..<vectors {
            let block = storage.pointer + vector * blockSize
            epilogue.writeHeader(first: vector * lanes, lanes: lanes, to: block)
            let bytes = UnsafeMutableRawPointer(block + Int(U8_PANEL_HEADER) * lanes)
                .bindMemory(to: Int8.self, capacity: 4 * lanes * taps)
            var at = 0
            for row in 0..<kernel {
                for group in -1...2 {
                    for output in 0..<4
                    where u8_depthwise_touches(
                        Int32(kernel), Int32(stride), Int32(left), Int32(output), Int32(group)) != 0
                    {
                        for lane in 0..<min(lanes, channels - vector * lanes) {
                            let channel = vector * lanes + lane
                            for column in 0..<4 {
                                let tap = 4 * group + column - (stride * output - left)
                                guard (0..<kernel).contains(tap) else { continue }
                                bytes[(at + lane) * 4 + column] = weights[(channel * kernel + row) * kernel + tap]
                            }
                        }
                        at += lanes
                    }
                }
            }
        }
    }

    /// Of the packed weights.
    public var bytes: Int { 4 * storage.count }

    func block(at vector: Int) -> UnsafeRawPointer { UnsafeRawPointer(storage.pointer + vector * blockSize) }
}
