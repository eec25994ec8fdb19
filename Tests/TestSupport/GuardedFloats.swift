#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Floats that end right before an unreadable page: a read or write past the end is a fault, not a lucky value.
/// What lies before them, up to the page's start, is filled with a pattern that `frontIsIntact` checks.
public final class GuardedFloats {
    public let pointer: UnsafeMutablePointer<Float>
    public let count: Int
    private let base: UnsafeMutableRawPointer
    private let mappedBytes: Int
    private let frontBytes: Int

    public init(_ values: [Float]) {
        let page = sysconf(Int32(_SC_PAGESIZE))
        let bytes = values.count * 4
        let body = (bytes + page - 1) / page * page + page
        mappedBytes = body + page
        guard let memory = mmap(nil, mappedBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            memory != MAP_FAILED
        else { fatalError("mmap of \(mappedBytes) bytes failed") }
        base = memory
        precondition(mprotect(memory + body, page, PROT_NONE) == 0, "mprotect failed")
        frontBytes = body - bytes
        memset(memory, 0xA5, frontBytes)
        pointer = (memory + frontBytes).bindMemory(to: Float.self, capacity: values.count)
        count = values.count
        for (i, value) in values.enumerated() { pointer[i] = value }
    }

    public convenience init(count: Int, repeating value: Float) { self.init([Float](repeating: value, count: count)) }

    deinit { munmap(base, mappedBytes) }

    public var values: [Float] { Array(UnsafeBufferPointer(start: pointer, count: count)) }

    public var frontIsIntact: Bool {
        UnsafeRawBufferPointer(start: base, count: frontBytes).allSatisfy { $0 == 0xA5 }
    }
}

extension SplitMix64 {
    /// `count` floats in [-1, 1).
    public mutating func floats(_ count: Int) -> [Float] {
        (0..<count).map { _ in Float.random(in: -1..<1, using: &self) }
    }
}
