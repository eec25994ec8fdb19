import Tensors

/// Working memory for each thread that may take part in a computation, found by the thread's slot.
public final class ThreadScratch: @unchecked Sendable {  // a slot is used by one thread at a time
    private let slots: UnsafeMutablePointer<UnsafeMutablePointer<Float>?>
    private let counts: UnsafeMutablePointer<Int>
    private let slotCount: Int

    public init(slotCount: Int) {
        self.slotCount = slotCount
        slots = .allocate(capacity: slotCount)
        slots.initialize(repeating: nil, count: slotCount)
        counts = .allocate(capacity: slotCount)
        counts.initialize(repeating: 0, count: slotCount)
    }

    deinit {
        for slot in 0..<slotCount { slots[slot]?.deallocate() }
        slots.deallocate()
        counts.deallocate()
    }

    /// Memory of at least `count` floats, aligned to 64 bytes, of unknown content; valid until the slot's next call.
    func floats(_ count: Int, slot: Int) -> UnsafeMutablePointer<Float> {
        precondition(slot >= 0 && slot < slotCount, "slot \(slot) of \(slotCount)")
        if let memory = slots[slot], counts[slot] >= count { return memory }
        if let memory = slots[slot] { UnsafeMutableRawPointer(memory).deallocate() }
        let raw = UnsafeMutableRawPointer.allocate(byteCount: count * 4, alignment: 64)
        let memory = raw.bindMemory(to: Float.self, capacity: count)
        memory.initialize(repeating: 0, count: count)
        slots[slot] = memory
        counts[slot] = count
        return memory
    }
}

/// Hands out parts of one slot's memory.
struct ScratchCursor {
    private var next: UnsafeMutablePointer<Float>

    init(_ start: UnsafeMutablePointer<Float>) { next = start }

    /// `count` floats on a 64-byte boundary.
    mutating func take(_ count: Int) -> UnsafeMutablePointer<Float> {
        defer { next += Self.rounded(count) }
        return next
    }

    static func rounded(_ count: Int) -> Int { (count + 15) / 16 * 16 }
}
