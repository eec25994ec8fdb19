import Parallelism

/// How long a connection waits for what.
extension ConnectionState {
    /// When things last happened.
    struct Times {
        /// When the first byte of the request at hand was read.
        var requestStarted: Instant
        var bodyStarted: Instant
        var bodyProgressed: Instant
        var lastIdle: Instant
        var outputProgressed: Instant

        init(_ now: Instant) {
            requestStarted = now
            bodyStarted = now
            bodyProgressed = now
            lastIdle = now
            outputProgressed = now
        }
    }

    /// Since when it is idle; nil where it is not.
    var idleSince: Instant? { isIdle ? times.lastIdle : nil }

    /// When `expire` is due.
    var deadline: Instant {
        let timeouts = configuration.timeouts
        if !output.isEmpty { return times.outputProgressed.advanced(byNanoseconds: timeouts.writeStallNanoseconds) }
        switch phase {
        case .handshaking: return times.requestStarted.advanced(byNanoseconds: timeouts.handshakeNanoseconds)
        case .reading where isReadingBody, .discarding:
            return min(
                times.bodyProgressed.advanced(byNanoseconds: timeouts.bodyStallNanoseconds),
                times.bodyStarted.advanced(byNanoseconds: timeouts.bodyNanoseconds))
        case .reading where isReadingRequest:
            return times.requestStarted.advanced(byNanoseconds: timeouts.headNanoseconds)
        case .reading: return times.lastIdle.advanced(byNanoseconds: timeouts.idleNanoseconds)
        case .lingering(let until, _): return until
        case .deciding, .processing, .refusing, .turningAway, .flushing, .closed: return Instant(nanoseconds: .max)
        }
    }

    /// What a deadline that has passed leads to; nil where none has.
    mutating func expire(now: Instant) -> ConnectionAction? {
        guard now >= deadline else { return nil }
        guard output.isEmpty, isReadingRequest else { return close() }
        return refuse(isReadingBody ? .bodyTimeout : .headTimeout)
    }
}
