import Dispatch

/// One direction of one descriptor: tells when it can be read or written. Begins disarmed.
///
/// Concurrency: belongs to its loop's queue.
public final class Readiness {
    public enum Direction: Sendable {
        case readable
        case writable
    }

    private let source: any DispatchSourceProtocol
    private let loop: EventLoop
    private var isArmed = false
    private var isCancelled = false

    /// `handler` runs on the loop whenever the descriptor is ready and this is armed.
    public init(
        _ direction: Direction, of descriptor: Int32, on loop: EventLoop, handler: @escaping @Sendable () -> Void
    ) {
        self.loop = loop
        switch direction {
        case .readable: source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: loop.queue)
        case .writable: source = DispatchSource.makeWriteSource(fileDescriptor: descriptor, queue: loop.queue)
        }
        source.setEventHandler(handler: handler)
    }

    deinit { precondition(isCancelled, "a readiness source must be cancelled before it is let go") }

    public func setArmed(_ armed: Bool) {
        loop.preconditionOnLoop()
        guard armed != isArmed, !isCancelled else { return }
        isArmed = armed
        if armed { source.resume() } else { source.suspend() }
    }

    /// Ends this for good, and calls `completion` on the loop once the descriptor may be closed.
    public func cancel(completion: @escaping @Sendable () -> Void) {
        loop.preconditionOnLoop()
        precondition(!isCancelled, "cancelled twice")
        source.setCancelHandler(handler: completion)
        // A suspended source never delivers its cancellation.
        setArmed(true)
        isCancelled = true
        source.cancel()
    }
}
