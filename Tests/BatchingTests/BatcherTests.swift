import Parallelism
import Telemetry
import Testing

@testable import Batching

struct BatcherTests {
    /// A batcher whose clock, workers and timers do only what the test tells them.
    private final class Bench: Sendable {
        struct State {
            var now = Instant(nanoseconds: 0)
            var jobs: [@Sendable () -> Void] = []
            var alarms: [(nanoseconds: Int64, ring: @Sendable () -> Void)] = []
            var refusals = 0
            var batches: [[Int]] = []
            var reasons: [FlushReason] = []
            var expired: [Int] = []
        }

        private struct ManualClock: Clock {
            let state: Lock<State>
            func now() -> Instant { state.withLock { $0.now } }
        }

        let state = Lock(State())
        let registry = Registry()
        let batcher: Batcher<Int>

        init(batch: Int = 4, places: Int = 16, delay: Int = 0, workers: Int = 2) {
            let flushes = registry.counter("flushes_total", "Flushes.", labels: ["reason"])
            batcher = Batcher(
                configuration: BatcherConfiguration(
                    maxBatchSize: batch, maxQueueSize: places, maxQueueDelayMicroseconds: delay, workerCount: workers),
                metrics: BatcherMetrics(
                    batchSize: registry.histogram("size", "Size.", bounds: [1, 4]).with(),
                    flushes: { flushes.with($0.rawValue) }),
                clock: ManualClock(state: state),
                submit: { [state] job in
                    state.withLock { state in
                        guard state.refusals == 0 else {
                            state.refusals -= 1
                            return false
                        }
                        state.jobs.append(job)
                        return true
                    }
                },
                wakeAfter: { [state] nanoseconds, ring in
                    state.withLock { $0.alarms.append((nanoseconds, ring)) }
                },
                expire: { [state] element in state.withLock { $0.expired.append(element) } },
                run: { [state] elements, reason in
                    state.withLock { state in
                        state.batches.append(elements)
                        state.reasons.append(reason)
                        state.now = state.now.advanced(byNanoseconds: 2_000_000 * Int64(elements.count))
                    }
                })
        }

        func runJob() {
            guard let job = state.withLock({ $0.jobs.isEmpty ? nil : $0.jobs.removeFirst() }) else { return }
            job()
        }

        func ringAlarm() {
            let alarm = state.withLock { state -> (@Sendable () -> Void)? in
                guard !state.alarms.isEmpty else { return nil }
                let alarm = state.alarms.removeFirst()
                state.now = state.now.advanced(byNanoseconds: alarm.nanoseconds)
                return alarm.ring
            }
            alarm?()
        }
    }

    @Test func runsALoneElementBeforeEnqueueReturns() throws {
        let bench = Bench()
        let reservation = try bench.batcher.reserve(places: 1)
        #expect(reservation.enqueue(7, canRunBatch: true))
        #expect(bench.state.withLock { $0.batches } == [[7]])
        #expect(bench.state.withLock { $0.jobs.isEmpty })
        #expect(
            bench.batcher.recentBatches == [
                BatchRecord(
                    size: 1, reason: .idle, longestWaitNanoseconds: 0, computeNanoseconds: 2_000_000,
                    start: Instant(nanoseconds: 0))
            ])
    }

    @Test func remembersTheLongestWayToABatch() throws {
        let bench = Bench(batch: 2, delay: 1_000_000)
        let reservation = try bench.batcher.reserve(places: 2)
        #expect(
            reservation.enqueue(0, workerNanoseconds: 5, preparationNanoseconds: 3_000_000, canRunBatch: false))
        bench.state.withLock { $0.now = $0.now.advanced(byNanoseconds: 1_000_000) }
        #expect(
            reservation.enqueue(
                1, workerNanoseconds: 4_000_000, preparationNanoseconds: 2_000_000, canRunBatch: true))
        let record = try #require(bench.batcher.recentBatches.last)
        #expect(
            record.longestWay
                == ElementWay(
                    workerNanoseconds: 4_000_000, preparationNanoseconds: 2_000_000, queueNanoseconds: 0))
        #expect(record.longestWay.totalNanoseconds == 6_000_000 && record.longestWaitNanoseconds == 1_000_000)
    }

    @Test func neverRunsABatchOnAThreadThatMustNotBeHeldUp() throws {
        let bench = Bench(batch: 1)
        let reservation = try bench.batcher.reserve(places: 2)
        #expect(reservation.enqueue(0, canRunBatch: false))
        #expect(reservation.enqueue(1, canRunBatch: false))
        #expect(bench.state.withLock { $0.batches.isEmpty })
        bench.runJob()
        bench.runJob()
        #expect(bench.state.withLock { $0.batches } == [[0], [1]])
    }

    @Test func countsWhatItRuns() throws {
        let bench = Bench(batch: 4, workers: 1)
        let reservation = try bench.batcher.reserve(places: 8)
        for element in 0..<5 { #expect(reservation.enqueue(element, canRunBatch: false)) }
        bench.runJob()
        bench.runJob()
        let page = bench.registry.render(.prometheusText)
        for line in [
            "flushes_total{reason=\"full\"} 1", "flushes_total{reason=\"idle\"} 1", "flushes_total{reason=\"delay\"} 0",
            "size_bucket{le=\"1.0\"} 1", "size_sum 5", "size_count 2",
        ] {
            #expect(page.contains("\n\(line)\n"), "\(line) in \(page)")
        }
    }

    @Test func givesBackThePlacesOfAForgottenReservation() throws {
        let bench = Bench(places: 4)
        do {
            let reservation = try bench.batcher.reserve(places: 4)
            #expect(reservation.enqueue(0, canRunBatch: true))
            #expect(throws: ReservationRefusal.self) { try bench.batcher.reserve(places: 1) }
        }
        #expect(bench.batcher.placesInUse == 0)
        #expect(bench.batcher.waitingCount == 0)
        let next = try bench.batcher.reserve(places: 4)
        #expect(bench.batcher.placesInUse == 4)
        next.release()
        next.release()
        #expect(bench.batcher.placesInUse == 0)
    }

    @Test func theDelaysAlarmStartsABatch() throws {
        let bench = Bench(delay: 700)
        let reservation = try bench.batcher.reserve(places: 1)
        #expect(reservation.enqueue(3, canRunBatch: true))
        #expect(bench.state.withLock { $0.batches.isEmpty && $0.jobs.isEmpty })
        #expect(bench.state.withLock { $0.alarms.map(\.nanoseconds) } == [700_000])
        bench.ringAlarm()
        bench.runJob()
        #expect(bench.state.withLock { $0.batches } == [[3]])
        #expect(bench.state.withLock { $0.reasons } == [.delay])
    }

    @Test func drainingStartsABatch() throws {
        let bench = Bench(delay: 700)
        let reservation = try bench.batcher.reserve(places: 1)
        #expect(reservation.enqueue(3, canRunBatch: true))
        bench.batcher.drain()
        bench.runJob()
        #expect(bench.state.withLock { $0.reasons } == [.drain])
    }

    @Test func tellsWhoseDeadlinePassed() throws {
        let bench = Bench()
        let reservation = try bench.batcher.reserve(places: 1, deadline: Instant(nanoseconds: 300))
        #expect(reservation.enqueue(5, canRunBatch: false))
        bench.ringAlarm()
        #expect(bench.state.withLock { $0.expired } == [5])
        bench.runJob()
        #expect(bench.state.withLock { $0.batches.isEmpty })
    }

    @Test func cancelledElementsAreNotRun() throws {
        let bench = Bench()
        let reservation = try bench.batcher.reserve(places: 2)
        #expect(reservation.enqueue(1, canRunBatch: false))
        #expect(reservation.cancel() == [1])
        #expect(!reservation.enqueue(2, canRunBatch: true))
        bench.runJob()
        #expect(bench.state.withLock { $0.batches.isEmpty })
        #expect(bench.batcher.placesInUse == 2)
    }

    @Test func aFullWorkersQueueOnlyDelaysABatch() throws {
        let bench = Bench()
        bench.state.withLock { $0.refusals = 2 }
        let reservation = try bench.batcher.reserve(places: 1)
        #expect(reservation.enqueue(1, canRunBatch: false))
        #expect(bench.state.withLock { $0.jobs.isEmpty })
        bench.ringAlarm()
        #expect(bench.state.withLock { $0.jobs.isEmpty })
        bench.ringAlarm()
        bench.runJob()
        #expect(bench.state.withLock { $0.batches } == [[1]])
    }

    @Test(arguments: [(1, 1), (2, 4), (3, 16)]) func answersEveryRequestOfARealPool(workers: Int, batch: Int) throws {
        let pool = WorkerPool(workerCount: workers, jobCapacity: 4096)
        let runs = Lock([Int](repeating: 0, count: 3000))
        let progress = Condition()
        let largest = Lock(0)
        var held: [Reservation<Int>] = []
        let registry = Registry()
        let batcher = Batcher<Int>(
            configuration: BatcherConfiguration(maxBatchSize: batch, maxQueueSize: 3000, workerCount: workers),
            metrics: BatcherMetrics(
                batchSize: registry.histogram("size", "Size.").with(),
                flushes: { _ in Counter() }),
            submit: { pool.submit($0) },
            expire: { _ in Issue.record("nothing has a deadline here") },
            run: { elements, _ in
                runs.withLock { for element in elements { $0[element] += 1 } }
                progress.signal()
                largest.withLock { $0 = max($0, elements.count) }
            })
        for request in 0..<1000 {
            let reservation = try batcher.reserve(places: 3)
            for image in 0..<3 {
                let element = 3 * request + image
                // Two of three are prepared by workers, the third comes ready.
                if image == 2 {
                    #expect(reservation.enqueue(element, canRunBatch: false))
                } else {
                    let isAccepted = pool.submit { #expect(reservation.enqueue(element, canRunBatch: true)) }
                    #expect(isAccepted)
                }
            }
            held.append(reservation)
        }
        runs.withLock(waitingOn: progress) { $0.reduce(0, +) >= 3000 ? () : nil }
        pool.shutdown()
        #expect(runs.withLock { $0.allSatisfy { $0 == 1 } })
        #expect(largest.withLock { $0 } <= batch)
        #expect(batcher.waitingCount == 0)
        #expect(batcher.placesInUse == 3000)
        for reservation in held { #expect(reservation.release().isEmpty) }
        #expect(batcher.placesInUse == 0)
    }
}
