#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

extension Socket {
    /// A socket that listens on the first address that `host` resolves to and that can be bound. `::` takes IPv4
    /// clients as well.
    ///
    /// - Throws: `SocketError` with `resolve`, `socket`, `setOption`, `bind` or `listen`: that of the last address tried.
    public static func listening(
        host: String, port: Int, backlog: Int, calls: SystemCalls = .kernel
    ) throws(SocketError) -> Socket {
        try atFirstAddress(of: host, port: port, flags: AI_PASSIVE) { (address) throws(SocketError) in
            try listening(address, backlog: backlog, calls: calls)
        }
    }

    /// What `open` makes of the first address that `host` resolves to and that it does not throw for.
    ///
    /// - Throws: `SocketError` with `resolve`, or `open`'s for the last address tried.
    static func atFirstAddress(
        of host: String, port: Int, flags: Int32 = 0, _ open: (addrinfo) throws(SocketError) -> Socket
    ) throws(SocketError) -> Socket {
        var hints = addrinfo()
        hints.ai_flags = flags | AI_NUMERICSERV
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = streamType
        var list: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, String(port), &hints, &list)
        guard status == 0 else { throw SocketError(operation: .resolve, code: status) }
        defer { freeaddrinfo(list) }
        var failure = SocketError(operation: .resolve, code: EAI_NONAME)
        var candidate = list
        while let address = candidate {
            do throws(SocketError) { return try open(address.pointee) } catch { failure = error }
            candidate = address.pointee.ai_next
        }
        throw failure
    }

    private static func listening(
        _ address: addrinfo, backlog: Int, calls: SystemCalls
    ) throws(SocketError) -> Socket {
        let descriptor = socket(address.ai_family, address.ai_socktype, address.ai_protocol)
        guard descriptor >= 0 else { throw SocketError(operation: .socket, code: errno) }
        let listener = Socket(owning: descriptor, calls: calls)
        try setNonBlocking(descriptor)
        try setOption(descriptor, SOL_SOCKET, SO_REUSEADDR, 1)
        if address.ai_family == AF_INET6 { try setOption(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 0) }
        guard bind(descriptor, address.ai_addr, address.ai_addrlen) == 0 else {
            throw SocketError(operation: .bind, code: errno)
        }
        guard listen(descriptor, Int32(clamping: backlog)) == 0 else {
            throw SocketError(operation: .listen, code: errno)
        }
        return listener
    }

    /// Where the socket is bound: for port 0, the port that was picked.
    ///
    /// - Throws: `SocketError` with `address`.
    public func localAddress() throws(SocketError) -> SocketAddress {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let status = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
        }
        guard status == 0 else { throw SocketError(operation: .address, code: errno) }
        guard let address = SocketAddress(storage) else { throw SocketError(operation: .address, code: EAFNOSUPPORT) }
        return address
    }

    static func setOption(
        _ descriptor: Int32, _ level: Int32, _ name: Int32, _ value: Int32
    ) throws(SocketError) {
        var value = value
        guard setsockopt(descriptor, level, name, &value, socklen_t(MemoryLayout<Int32>.size)) == 0 else {
            throw SocketError(operation: .setOption, code: errno)
        }
    }

    static var streamType: Int32 {
        #if canImport(Glibc)
        Int32(SOCK_STREAM.rawValue)
        #else
        SOCK_STREAM
        #endif
    }
}
