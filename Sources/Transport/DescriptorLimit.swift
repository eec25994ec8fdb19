#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// How many descriptors the process may have open.
public enum DescriptorLimit {
    /// Raises the soft limit to `count`, or to the hard limit where that is lower. Never lowers it.
    ///
    /// - Returns: the limit in force.
    /// - Throws: `SocketError` where the system refuses.
    @discardableResult
    public static func raise(to count: Int) throws(SocketError) -> Int {
        #if canImport(Glibc)
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        #else
        let resource = RLIMIT_NOFILE
        #endif
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0 else { throw SocketError(operation: .descriptorLimit, code: errno) }
        let wanted = min(rlim_t(count), limit.rlim_max)
        if wanted > limit.rlim_cur {
            limit.rlim_cur = wanted
            guard setrlimit(resource, &limit) == 0 else { throw SocketError(operation: .descriptorLimit, code: errno) }
        }
        return Int(clamping: limit.rlim_cur)
    }
}
