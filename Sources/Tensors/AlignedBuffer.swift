#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The one owner of a block of memory, aligned to a cache line (64 bytes), zero-filled at birth.
///
/// Numeric code works on `pointer`, whose lifetime is this value's.
public struct AlignedBuffer<Element: BitwiseCopyable>: ~Copyable, @unchecked Sendable {  // unique owner
    /// Every buffer starts on a multiple of this many bytes.
    public static var alignment: Int { 64 }

    /// Number of elements that may be read and written.
    public let count: Int

    /// The first element. Valid as long as this value lives.
    public let pointer: UnsafeMutablePointer<Element>

    /// - Precondition: `count` is not negative and `count * stride` fits in an `Int`.
    public init(count: Int) {
        precondition(count >= 0, "a buffer of \(count) elements")
        let (bytes, overflow) = count.multipliedReportingOverflow(by: MemoryLayout<Element>.stride)
        precondition(!overflow, "a buffer of \(count) elements overflows")
        self.count = count
        let size = Swift.max(bytes, 1)
        var raw: UnsafeMutableRawPointer?
        let status = posix_memalign(&raw, Self.alignment, size)
        guard status == 0, let raw else { fatalError("out of memory: \(size) bytes") }
        memset(raw, 0, size)
        pointer = raw.bindMemory(to: Element.self, capacity: Swift.max(count, 1))
    }

    deinit { free(pointer) }

    /// All elements.
    public var elements: UnsafeMutableBufferPointer<Element> { .init(start: pointer, count: count) }

    public subscript(index: Int) -> Element {
        get {
            precondition(index >= 0 && index < count, "index \(index) outside 0..<\(count)")
            return pointer[index]
        }
        nonmutating set {
            precondition(index >= 0 && index < count, "index \(index) outside 0..<\(count)")
            pointer[index] = newValue
        }
    }
}
