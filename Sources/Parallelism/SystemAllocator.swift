#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The C library's allocator.
public enum SystemAllocator {
    /// Has memory blocks of at least so many bytes given back to the system when they are freed.
    ///
    /// The GNU C library does so with blocks of 128 KiB, but after the first large one that is freed it keeps all up to that size
    /// for itself, and twice as much at the end of each heap: a few large request bodies then stay in memory for good.
    /// Other libraries have no such setting, and need none.
    ///
    /// Source: mallopt(3), "M_MMAP_THRESHOLD" and "M_TRIM_THRESHOLD".
    public static func returnBlocks(ofAtLeast byteCount: Int32) {
        // The C module does not export it.
        guard let symbol = dlsym(nil, "mallopt") else { return }
        typealias Option = @convention(c) (_ option: Int32, _ value: Int32) -> Int32
        let mallopt = unsafeBitCast(symbol, to: Option.self)
        let (trimThreshold, mmapThreshold): (Int32, Int32) = (-1, -3)
        _ = mallopt(mmapThreshold, byteCount)
        _ = mallopt(trimThreshold, byteCount)
    }
}
