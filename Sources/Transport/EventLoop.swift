import Dispatch

/// A serial queue on which connections live: what belongs to a loop is touched on its queue alone.
public final class EventLoop: Sendable {
    public let queue: DispatchQueue

    public init(label: String) {
        queue = DispatchQueue(label: label, qos: .userInitiated)
    }

    /// Traps anywhere but on the loop's queue.
    @inline(__always)
    public func preconditionOnLoop() { dispatchPrecondition(condition: .onQueue(queue)) }

    public func execute(_ work: @escaping @Sendable () -> Void) { queue.async(execute: work) }

    /// Runs `work` on the loop once, later.
    public func executeAfter(milliseconds: Int, _ work: @escaping @Sendable () -> Void) {
        queue.asyncAfter(deadline: .now() + .milliseconds(milliseconds), execute: DispatchWorkItem(block: work))
    }

    /// Runs `work` on the loop every so often until the returned timer is cancelled.
    public func everyMilliseconds(_ interval: Int, _ work: @escaping @Sendable () -> Void) -> any DispatchSourceTimer {
        let timer = DispatchSource.makeTimerSource(queue: queue)
        timer.schedule(
            deadline: .now() + .milliseconds(interval), repeating: .milliseconds(interval),
            leeway: .milliseconds(max(1, interval / 4)))
        timer.setEventHandler(handler: work)
        timer.resume()
        return timer
    }
}
