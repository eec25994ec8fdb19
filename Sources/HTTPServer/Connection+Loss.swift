import Parallelism

/// Requests that will have no answer, or have not come as a whole.
extension Connection {
    /// For a request that has not come as a whole, and will not be read further.
    func exchangeOfRest(_ now: Instant) -> Exchange {
        let summary = resolved.take()?.summary ?? summary(ofRefused: state.refusedHead)
        return Exchange(
            summary: summary, received: state.times.requestStarted, readDone: now, bodyBytes: state.bodyBytesRead)
    }

    /// Tells the records of the requests that the end of the process leaves without an answer.
    ///
    /// - Returns: how many there are.
    func loseRequests() -> Int {
        loop.preconditionOnLoop()
        guard !isClosed else { return 0 }
        let now = context.clock.now()
        let waiting = state.waitingRequests
        var count = waiting.count
        if let exchange = exchange.take() {
            giveUp(exchange, for: .drainTimeout)
            count += 1
        } else if loseUnread(.drainTimeout, now) {
            count += 1
        }
        for request in waiting {
            giveUp(
                Exchange(
                    summary: summary(ofRefused: request.head), received: now, readDone: now,
                    bodyBytes: request.bodyBytes), for: .drainTimeout)
        }
        // What comes of them yet must not be answered after that.
        if count > 0 { close() }
        return count
    }

    /// Tells the records of a request that has begun to come and will not be there as a whole, if there is one.
    @discardableResult
    func loseUnread(_ rejection: ServerRejection, _ now: Instant) -> Bool {
        guard state.isReadingRequest else { return false }
        giveUp(exchangeOfRest(now), for: rejection)
        return true
    }

    /// Tells the records of a request that will have no answer.
    private func giveUp(_ exchange: Exchange, for rejection: ServerRejection) {
        context.noteRejection(rejection)
        note(exchange, status: rejection.recordedStatus, reason: rejection.reason)
    }
}
