import Parallelism

/// The TLS context that new connections are begun with; those that are open keep theirs.
public final class TLSCredentials: Sendable {
    private let context: Lock<TLSContext>

    public init(_ context: TLSContext) { self.context = Lock(context) }

    public var current: TLSContext { context.withLock { $0 } }

    public func replace(with context: TLSContext) { self.context.withLock { $0 = context } }
}
