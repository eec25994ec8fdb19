#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A running POSIX thread, to be joined once.
struct Thread: Sendable {
    /// Enough for the deepest call chain of the codecs; musl's own default is 128 KiB.
    private static let stackBytes = 4 << 20

    private let handle: pthread_t

    /// Starts a thread that runs `body`. Its name as the system shows it is cut at 15 bytes.
    ///
    /// - Precondition: the system grants the thread.
    init(name: String, _ body: @escaping @Sendable () -> Void) {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setstacksize(&attributes, Self.stackBytes)
        let start = Unmanaged.passRetained(Start(name: name, body: body))
        var handle = pthread_t()
        let status = pthread_create(
            &handle, &attributes,
            { argument in
                let start = Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue()
                Thread.nameCurrent(start.name)
                start.body()
                return nil
            }, start.toOpaque())
        precondition(status == 0, "pthread_create failed: \(status)")
        self.handle = handle
    }

    /// Waits for the thread's end.
    func join() {
        let status = pthread_join(handle, nil)
        precondition(status == 0, "pthread_join failed: \(status)")
    }

    private final class Start: Sendable {
        let name: String
        let body: @Sendable () -> Void

        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    /// Through /proc, because `pthread_setname_np` is a GNU extension that Swift's module of the C library leaves out.
    /// A name is only for people to read: where it cannot be set, nothing is lost.
    private static func nameCurrent(_ name: String) {
        let descriptor = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        _ = name.utf8CString.withUnsafeBufferPointer { write(descriptor, $0.baseAddress!, $0.count - 1) }
        close(descriptor)
    }
}
