#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A system call about sockets that failed.
public struct SocketError: Error, Equatable, Sendable {
    public enum Operation: String, Sendable {
        case resolve, socket, setOption, bind, listen, address, accept, connect, setNonBlocking, receive, send, shutdown
        case descriptorLimit
    }

    public var operation: Operation
    /// The `errno`; for `resolve` what `getaddrinfo` returned.
    public var code: Int32

    public init(operation: Operation, code: Int32) {
        self.operation = operation
        self.code = code
    }

    /// Whether a deadline has passed, the kernel's or the caller's.
    public var isTimeout: Bool { operation != .resolve && code == ETIMEDOUT }

    /// Whether the process or the system has run out of descriptors or buffers, which passes.
    public var isExhaustion: Bool {
        operation == .accept && (code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM)
    }
}

extension SocketError: CustomStringConvertible {
    public var description: String {
        if operation == .resolve { return "resolve: \(String(cString: gai_strerror(code)))" }
        return "\(operation.rawValue): \(String(cString: strerror(code))) (errno \(code))"
    }
}
