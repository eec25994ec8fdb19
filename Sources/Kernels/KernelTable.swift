import CKernels

/// The micro-kernels of one instruction set.
public struct KernelTable: @unchecked Sendable {  // points to a constant of the program
    /// The C table: function pointers that take their arguments by struct.
    public let pointer: UnsafePointer<kernel_table>

    /// Name of the instruction set: `avx512f`, `avx2+fma` or `portable`.
    public var isa: String { String(cString: pointer.pointee.isa) }

    /// Units: floats.
    public var vectorWidth: Int { pointer.pointee.vector_width }

    /// Whether products are fused with the addition; all tables that do give the same bits.
    public var isFused: Bool { pointer.pointee.fused_multiply_add != 0 }

    /// The tables that this machine can run, fastest first.
    public static let available: [KernelTable] = {
        var tables = [UnsafePointer<kernel_table>?](repeating: nil, count: 8)
        let count = kernel_tables(&tables, tables.count)
        return tables.prefix(count).map { KernelTable(pointer: $0!) }
    }()

    /// The fastest table of this machine.
    public static var fastest: KernelTable { available[0] }

    /// The table called `isa`.
    /// - Throws: `KernelError.unavailable` where this machine cannot run it.
    public static func named(_ isa: String) throws(KernelError) -> KernelTable {
        guard let table = available.first(where: { $0.isa == isa || $0.isa.split(separator: "+")[0] == isa }) else {
            throw .unavailable(isa: isa, available: available.map(\.isa))
        }
        return table
    }

    /// How many vectors hold `channels` floats.
    public func vectors(for channels: Int) -> Int { (channels + vectorWidth - 1) / vectorWidth }

    /// Calls `body` with the first vector and the number of vectors of every panel that `vectorCount` vectors split into.
    func forEachPanel(of vectorCount: Int, _ body: (_ firstVector: Int, _ vectors: Int) -> Void) {
        var first = 0
        while first < vectorCount {
            let vectors = pointer.pointee.f32_gemm_panel_vectors(vectorCount - first)
            body(first, vectors)
            first += vectors
        }
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
