import CKernels

/// The micro-kernels of one instruction set.
public struct KernelTable: @unchecked Sendable {  // points to constants of the program
    /// Name of the instruction set: `amxint8`, `avx512vnni`, `avx512f`, `avxvnni`, `avx2` or `portable`.
    public let isa: String
    /// The C table in floating point: function pointers that take their arguments by struct.
    public let pointer: UnsafePointer<kernel_table>
    /// The C table in bytes.
    private(set) var bytes: UnsafePointer<u8_kernel_table>

    /// Units: floats.
    public var vectorWidth: Int { pointer.pointee.vector_width }

    /// Whether products are fused with the addition; all tables that do give the same bits.
    public var isFused: Bool { pointer.pointee.fused_multiply_add != 0 }

    /// The tables that this machine can run, fastest first.
    public static let available: [KernelTable] = {
        var sets = [instruction_set](repeating: instruction_set(), count: 8)
        let count = instruction_sets(&sets, sets.count)
        return sets.prefix(count).map { KernelTable(isa: String(cString: $0.name), pointer: $0.f32, bytes: $0.u8) }
    }()

    /// The fastest table of this machine.
    public static var fastest: KernelTable { available[0] }

    /// The table called `isa`.
    /// - Throws: `KernelError.unavailable` where this machine cannot run it.
    public static func named(_ isa: String) throws(KernelError) -> KernelTable {
        guard let table = available.first(where: { $0.isa == isa }) else {
            throw .unavailable(isa: isa, available: available.map(\.isa))
        }
        return table
    }

    /// Products fetch weights of more than so many bytes ahead of their use: where a core waits long for what is not in its
    /// second-level cache, and unless they are so few that they stay in it.
    var mostBytesNotFetchedAhead = kernel_fetches_ahead() != 0 ? 32 << 10 : Int.max

    /// Whether products fetch weights of so many bytes ahead of their use.
    func fetchesAhead(_ bytes: Int) -> Bool { bytes > mostBytesNotFetchedAhead }

    /// The table whose products in bytes are the fastest where a dot product has `depth` bytes.
    func forByteProducts(depth: Int) -> KernelTable {
        guard let shallow = bytes.pointee.shallow, depth < bytes.pointee.least_depth else { return self }
        var table = self
        table.bytes = shallow
        return table
    }

    /// Columns of a block of what depthwise convolutions in bytes write, four channels at a time: 4, or 1 where they
    /// write pixels.
    public var blockColumns: Int { bytes.pointee.block_columns }

    /// How many vectors hold `channels` floats.
    public func vectors(for channels: Int) -> Int { (channels + vectorWidth - 1) / vectorWidth }

    /// The tiles that products can be made of.
    public var tiles: [GEMMTile] {
        (1...3).flatMap { panel in
            let most = pointer.pointee.f32_gemm_tile_rows(panel)
            return Set([most, most * 2 / 3, most / 2]).sorted(by: >).map { GEMMTile(panelVectors: panel, rows: $0) }
        }
    }

    /// Calls `body` with the first vector and the number of vectors of every panel that `vectorCount` vectors split into.
    func forEachPanel(
        of vectorCount: Int, widest: Int, _ body: (_ firstVector: Int, _ vectors: Int) -> Void
    ) {
        var first = 0
        while first < vectorCount {
            let vectors = pointer.pointee.f32_gemm_panel_vectors(vectorCount - first, widest)
            body(first, vectors)
            first += vectors
        }
    }
}

/// The shape of the block of a product that is held in registers.
public struct GEMMTile: Hashable, Sendable {
    /// The widest panel. Units: vectors.
    public var panelVectors: Int
    /// At most.
    public var rows: Int

    /// What the table chooses: two vectors, three where an odd one is left, and as many rows as the registers hold.
    public static let standard = GEMMTile(panelVectors: 0, rows: 0)

    public init(panelVectors: Int, rows: Int) {
        self.panelVectors = panelVectors
        self.rows = rows
    }
}

/// What can go wrong in choosing kernels.
public enum KernelError: Error, Equatable, Sendable, CustomStringConvertible {
    case unavailable(isa: String, available: [String])

    public var description: String {
        switch self {
        case .unavailable(let isa, let available):
            "no kernels for '\(isa)' on this machine; it has \(available.joined(separator: ", "))"
        }
    }
}

/// The distance in floats between two pixels of a tensor with `channels` channels.
@inline(__always)
public func channelStride(_ channels: Int) -> Int {
    (channels + Int(KERNEL_CHANNEL_ALIGNMENT) - 1) / Int(KERNEL_CHANNEL_ALIGNMENT) * Int(KERNEL_CHANNEL_ALIGNMENT)
}
