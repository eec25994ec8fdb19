#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Memory that the process has freed and the C library keeps.
enum FreeMemory {
    private typealias Trim = @convention(c) (Int) -> Int32

    /// `malloc_trim`, which glibc alone has and Swift's module of it leaves out.
    private static let trim = dlsym(nil, "malloc_trim").map { unsafeBitCast($0, to: Trim.self) }

    /// Gives it back to the system. What models need at a time while they are loaded is several times their size.
    static func giveBack() { _ = trim?(0) }
}
