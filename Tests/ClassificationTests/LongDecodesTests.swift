import Batching
import Parallelism
import TestSupport
import Testing

@testable import Classification

/// The line of long decodes, beside workers that are held up.
struct LongDecodesTests {
    private final class Owner: Sendable {}

    /// One worker, which waits at a gate.
    private final class Line: Sendable {
        let pool = WorkerPool(workerCount: 1)
        let clock = ManualClock()
        let decodes: LongDecodes
        let turns = Lock<[String: LongDecodes.Turn]>([:])
        private let wakes: Lock<[@Sendable () -> Void]>
        private let gate = Signal<Void>()

        init(capacity: Int = 8, maxWaitNanoseconds: Int64 = .max, averageNanoseconds: Int64 = 0) {
            let wakes = Lock<[@Sendable () -> Void]>([])
            self.wakes = wakes
            decodes = LongDecodes(
                jobs: OrderedJobs(pool: pool), workerCount: 1, capacity: capacity,
                maxWaitNanoseconds: maxWaitNanoseconds,
                clock: clock
            ) { _, work in wakes.withLock { $0.append(work) } }
            if averageNanoseconds > 0 {
                let owner = Owner()
                let isDone = Signal<Void>()
                let decode = LongDecodes.Decode(owner: ObjectIdentifier(owner), deadline: nil, urgency: .first) {
                    [clock] _ in
                    clock.advance(seconds: Double(averageNanoseconds) * 1e-9)
                    isDone.send(())
                }
                decodes.submit(decode, cost: LongDecodes.leastCost)
                _ = isDone.wait()
                precondition(eventually { self.decodes.runningCount == 0 })
            }
            let gate = gate
            precondition(pool.submit { _ = gate.wait() })
        }

        func submit(_ name: String, owner: Owner, deadline: Instant? = nil, holding body: AnyObject & Sendable) {
            decodes.submit(
                LongDecodes.Decode(
                    owner: ObjectIdentifier(owner), deadline: deadline, urgency: .first
                ) { turn in
                    withExtendedLifetime(body) { self.turns.withLock { $0[name] = turn } }
                }, cost: LongDecodes.leastCost)
        }

        /// Compared under the lock: ThreadSanitizer does not see the runtime's reference counts, by which a copy that is read
        /// outside of it is kept from being written to.
        func has(_ expected: [String: LongDecodes.Turn]) -> Bool { turns.withLock { $0 == expected } }

        func fireAlarms() {
            let due = wakes.withLock { wakes in
                defer { wakes = [] }
                return wakes
            }
            for wake in due { wake() }
        }

        /// Lets the worker go on, until every decode that was not removed has been told what becomes of it: the pool takes
        /// none any more once it is shut down, and between the line and the pool there may still be one.
        func finish(expecting expected: [String: LongDecodes.Turn]) {
            gate.send(())
            #expect(eventually { has(expected) })
            pool.shutdown()
        }
    }

    /// The one that runs and one that waits are let in in any case; what is too much is others' work.
    @Test func isBoundedInTime() {
        let line = Line(maxWaitNanoseconds: 350_000_000, averageNanoseconds: 200_000_000)
        let (first, second) = (Owner(), Owner())
        for name in ["runs", "waits", "own"] { line.submit(name, owner: first, holding: first) }
        line.submit("late", owner: second, holding: second)
        // One runs and two wait.
        let late = LongDecodes.Turn.isRefused(
            .waitTooLong(nanoseconds: 600_000_000, retryAfterNanoseconds: 600_000_000))
        #expect(line.has(["late": late]))
        line.finish(expecting: ["runs": .hasCome, "waits": .hasCome, "own": .hasCome, "late": late])
    }

    @Test func keepsNothingOfWhoHasLeft() {
        let line = Line()
        let (first, second) = (Owner(), Owner())
        line.submit("running", owner: first, holding: Owner())
        weak var body: Owner?
        do {
            let held = Owner()
            body = held
            for place in 0..<3 { line.submit("gone \(place)", owner: second, holding: held) }
        }
        line.submit("stays", owner: first, holding: Owner())
        #expect(body != nil && line.decodes.waitingCount == 4)
        line.decodes.removeAll(of: ObjectIdentifier(second))
        #expect(body == nil && line.decodes.waitingCount == 1)
        line.finish(expecting: ["running": .hasCome, "stays": .hasCome])
    }

    @Test func tellsOfADeadlineWhenItPasses() {
        let line = Line()
        let owner = Owner()
        func deadline(_ seconds: Double) -> Instant {
            line.clock.now().advanced(byNanoseconds: Int64(seconds * 1e9))
        }
        line.submit("running", owner: owner, holding: owner)
        line.submit("late", owner: owner, deadline: deadline(2), holding: owner)
        line.submit("first late", owner: owner, deadline: deadline(1), holding: owner)
        line.submit("in time", owner: owner, deadline: deadline(9), holding: owner)
        line.fireAlarms()
        #expect(line.has([:]))
        line.clock.advance(seconds: 1.5)
        line.fireAlarms()
        #expect(line.has(["first late": .isTooLate]))
        line.clock.advance(seconds: 1)
        line.fireAlarms()
        #expect(line.has(["first late": .isTooLate, "late": .isTooLate]))
        #expect(line.decodes.waitingCount == 1)
        line.finish(
            expecting: ["first late": .isTooLate, "late": .isTooLate, "running": .hasCome, "in time": .hasCome])
    }

    @Test func refusesWhatIsBeyondItsCapacity() {
        let line = Line(capacity: 2)
        let owner = Owner()
        for name in ["running", "waits", "waits too", "too many"] { line.submit(name, owner: owner, holding: owner) }
        #expect(line.decodes.waitingCount == 2)
        #expect(line.has(["too many": .hasNoRoom]))
        line.finish(
            expecting: ["running": .hasCome, "waits": .hasCome, "waits too": .hasCome, "too many": .hasNoRoom])
    }

    // MARK: In the service

    private func longImage() throws -> [UInt8] {
        try Upload.jpeg("420") + [UInt8](repeating: 0, count: LongDecodes.leastCost)
    }

    @Test func postsOfWhoLeavesDoNotPileUp() throws {
        let test = try TestService { $0.threads = 1 }
        defer { test.stop() }
        let gate = test.service.closeGate()
        let image = try longImage()
        let first = try test.client()
        try first.send("POST", "/v1/classify", body: image)
        #expect(eventually { test.placesInUse == 1 })
        for _ in 0..<4 {
            let client = try test.client()
            try client.send("POST", "/v1/classify", body: image)
            #expect(eventually { test.placesInUse == 2 && test.service.context.decodes.waitingCount == 1 })
            client.finishSending()
            #expect(eventually { test.placesInUse == 1 })
            #expect(test.service.context.decodes.waitingCount == 0)
        }
        gate.open()
        #expect(try first.receive().status == 200)
    }

    @Test func manyPixelsInFewBytesWaitTheirTurn() throws {
        let test = try TestService { $0.threads = 1 }
        defer { test.stop() }
        let gate = test.service.closeGate()
        let (first, second) = (try test.client(), try test.client())
        try first.send("POST", "/v1/classify", body: longImage())
        #expect(eventually { test.placesInUse == 1 })
        var picture = try Fixtures.bytes("png/rgb-8.png")
        picture.replaceSubrange(16..<24, with: [0, 0, 4, 0, 0, 0, 4, 0])
        try second.send("POST", "/v1/classify", body: picture)
        #expect(eventually { test.service.context.decodes.waitingCount == 1 })
        gate.open()
        #expect(try first.receive().status == 200)
        #expect(try second.receive().status == 422)
    }

    @Test func answersADeadlineThatPassesInTheLine() throws {
        let test = try TestService { $0.threads = 1 }
        defer { test.stop() }
        let gate = test.service.closeGate()
        let image = try longImage()
        let (first, late) = (try test.client(), try test.client())
        try first.send("POST", "/v1/classify", body: image)
        #expect(eventually { test.placesInUse == 1 })
        try late.send("POST", "/v1/classify", fields: [("X-Request-Deadline-Ms", "300")], body: image)
        // No worker is free to notice it.
        #expect(try late.receive().status == 504)
        #expect(test.placesInUse == 1)
        gate.open()
        #expect(try first.receive().status == 200)
    }
}
