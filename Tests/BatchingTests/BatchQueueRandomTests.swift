import Parallelism
import TestSupport
import Testing

@testable import Batching

struct BatchQueueRandomTests {
    @Test(arguments: 0..<60) func keepsItsPromisesUnderRandomEvents(seed: UInt64) {
        var simulation = Simulation(seed: seed)
        for _ in 0..<1500 {
            simulation.step()
            guard simulation.check() else { return }
        }
        simulation.finish()
    }
}

/// Workers, requests and timers around a queue, all moved by one random number generator, and a record of what became
/// of each element.
private struct Simulation {
    private enum Fate { case waiting, run, expired, cancelled }

    private struct Request {
        var places: Int
        /// Of each element.
        var followUps: Int
        var followedUp = 0
        var arrived = 0
        var isCancelled = false
        var deadline: Instant?
        var urgency: Urgency
    }

    private let seed: UInt64
    private let configuration: BatcherConfiguration
    private var random: SplitMix64
    private var queue: BatchQueue<Int>
    private var now = Instant(nanoseconds: 0)

    private var requests: [UInt64: Request] = [:]
    /// By element, which are numbered in the order in which they are enqueued.
    private var fates: [Fate] = []
    private var owners: [UInt64] = []
    private var deadlines: [Instant?] = []
    private var urgencies: [Urgency] = []
    private var jobs = 0
    private var running: [Int] = []
    private var alarms: [Instant] = []

    init(seed: UInt64) {
        self.seed = seed
        random = SplitMix64(seed: seed)
        configuration = BatcherConfiguration(
            maxBatchSize: .random(in: 1...6, using: &random), maxQueueSize: .random(in: 6...40, using: &random),
            maxQueueDelayMicroseconds: [0, 0, 300].randomElement(using: &random)!,
            maxQueueWaitMilliseconds: .random(in: 0...1, using: &random),
            workerCount: .random(in: 1...4, using: &random))
        queue = BatchQueue(configuration: configuration)
    }

    mutating func step() {
        now = now.advanced(byNanoseconds: .random(in: 0...50_000, using: &random))
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<20: reserve()
        case 20..<50: enqueue()
        case 50..<68: if jobs > 0 { startScheduled() }
        case 68..<84: if !running.isEmpty { endBatch() }
        case 84..<92: fireAlarm()
        case 92..<94: cancel()
        case 94..<96: followUp()
        case 96..<99: release()
        default: if Int.random(in: 0..<40, using: &random) == 0 { perform(queue.drain(now: now)) }
        }
    }

    private mutating func reserve() {
        let places = Int.random(in: 1...8, using: &random)
        let deadline =
            Bool.random(using: &random) ? now.advanced(byNanoseconds: .random(in: 1...900_000, using: &random)) : nil
        let priority = Priority(requested: .random(in: 0...12, using: &random))
        let followUps = max(0, Int.random(in: -2...3, using: &random))
        let reserved = try? queue.reserve(
            places, deadline: deadline, priority: priority, followUps: followUps, now: now)
        guard let id = reserved else { return }
        expect(requests[id] == nil, "a reservation is new")
        requests[id] = Request(
            places: places, followUps: followUps, deadline: deadline, urgency: priority.urgency(arrival: now))
    }

    private mutating func enqueue() {
        let open = requests.filter { $0.value.arrived < $0.value.places }.keys.sorted()
        guard let id = open.randomElement(using: &random) else { return }
        let canRunHere = Bool.random(using: &random)
        let outcome = queue.enqueue(fates.count, reservation: id, canRunHere: canRunHere, now: now)
        expect((outcome == nil) == requests[id]!.isCancelled, "cancelled requests alone are refused")
        guard let outcome else {
            requests[id]!.arrived += 1
            return
        }
        requests[id]!.arrived += 1
        fates.append(.waiting)
        owners.append(id)
        deadlines.append(requests[id]!.deadline)
        urgencies.append(requests[id]!.urgency)
        perform(outcome.actions)
        expect(canRunHere || outcome.batch == nil, "no batch is run where none may be")
        if let batch = outcome.batch { start(batch) }
    }

    private mutating func startScheduled() {
        jobs -= 1
        let (batch, actions) = queue.startBatch(isScheduled: true, now: now)
        perform(actions)
        if let batch { start(batch) }
    }

    private mutating func start(_ batch: BatchQueue<Int>.Batch) {
        expect(!batch.elements.isEmpty && batch.elements.count <= configuration.maxBatchSize, "the batch's size")
        // Whatever is more urgent than the batch's last element is in it, or has had its fate already.
        let last = order(batch.elements.last!)
        for element in batch.elements {
            settle(element, as: .run)
            expect(deadlines[element].map { $0 > now } ?? true, "no late element is run")
        }
        let isPassedOver = fates.indices.contains { fates[$0] == .waiting && order($0) < last }
        expect(!isPassedOver, "the most urgent first")
        expect(batch.elements == batch.elements.sorted { order($0) < order($1) }, "the batch's order")
        running.append(batch.elements.count)
        let isCut = fates.count { $0 == .waiting } > configuration.workerCount - running.count
        expect(
            (batch.elements.count == configuration.maxBatchSize || isCut) == (batch.reason == .full), "the flush reason"
        )
        expect(running.count <= configuration.workerCount, "batches at a time")
    }

    /// Equally urgent elements leave as they came.
    private func order(_ element: Int) -> (Urgency, Int) { (urgencies[element], element) }

    private mutating func endBatch() {
        let size = running.remove(at: .random(in: 0..<running.count, using: &random))
        let record = BatchRecord(
            size: size, reason: .idle, longestWaitNanoseconds: 0,
            computeNanoseconds: .random(in: 1...60_000, using: &random))
        perform(queue.endBatch(record, now: now))
    }

    private mutating func followUp() {
        guard let id = requests.keys.sorted().randomElement(using: &random), let request = requests[id],
            request.followUps > 0, request.followedUp < request.arrived
        else { return }
        queue.followUp(id, nanoseconds: .random(in: 1...60_000, using: &random))
        requests[id]!.followedUp += 1
    }

    private mutating func fireAlarm() {
        guard let wakeAt = alarms.min() else { return }
        alarms.remove(at: alarms.firstIndex(of: wakeAt)!)
        // Mostly in time, now and then early.
        if Int.random(in: 0..<5, using: &random) > 0 { now = max(now, wakeAt) }
        perform(queue.alarmFired(wakeAt, now: now))
    }

    private mutating func cancel() {
        guard let id = requests.keys.sorted().randomElement(using: &random) else { return }
        requests[id]!.isCancelled = true
        takeBack(queue.cancel(id), of: id)
    }

    private mutating func release() {
        guard let id = requests.keys.sorted().randomElement(using: &random) else { return }
        takeBack(queue.release(id), of: id)
        requests[id] = nil
    }

    private mutating func takeBack(_ elements: [Int], of id: UInt64) {
        for element in elements {
            settle(element, as: .cancelled)
            expect(owners[element] == id, "only its own elements are taken back")
        }
        let left = zip(owners, fates).contains { $0 == id && $1 == .waiting }
        expect(!left, "nothing of a cancelled request waits")
    }

    private mutating func perform(_ actions: BatchQueue<Int>.Actions) {
        for element in actions.expired {
            settle(element, as: .expired)
            expect(deadlines[element].map { $0 <= now } ?? false, "only late elements expire")
        }
        if let wakeAt = actions.wakeAt { alarms.append(wakeAt) }
        for _ in 0..<actions.jobCount {
            if Int.random(in: 0..<10, using: &random) > 0 {
                jobs += 1
            } else if let wakeAt = queue.jobWasRefused(now: now).wakeAt {
                alarms.append(wakeAt)
            }
        }
    }

    private mutating func settle(_ element: Int, as fate: Fate) {
        expect(fates[element] == .waiting, "element \(element) has one fate")
        fates[element] = fate
    }

    private func expect(_ claim: Bool, _ what: String) {
        if !claim { Issue.record("\(what), seed \(seed), \(configuration)") }
    }

    /// The invariants between events.
    func check() -> Bool {
        let live = requests.values
        let inUse = live.reduce(0) { $0 + $1.places }
        let preparing = live.reduce(0) { $0 + ($1.isCancelled ? 0 : $1.places - $1.arrived) }
        let waiting = fates.count { $0 == .waiting }
        let followed = live.filter { !$0.isCancelled && $0.followUps > 0 }
        let claims = [
            inUse <= configuration.maxQueueSize, queue.placesInUse == inUse, queue.preparingCount == preparing,
            queue.followedElementCount == followed.reduce(0) { $0 + $1.places - $1.followedUp },
            Int(queue.followUps.wrappedSum())
                == followed.reduce(0) { $0 + $1.followUps * ($1.places - $1.followedUp) },
            queue.waitingCount == waiting, waiting <= inUse, queue.scheduledCount == jobs,
            queue.runningCount == running.count,
            // Somebody or something will come for those that wait.
            waiting == 0 || jobs > 0 || !running.isEmpty || !alarms.isEmpty,
        ]
        expect(claims.allSatisfy { $0 }, "invariants \(claims)")
        return claims.allSatisfy { $0 }
    }

    /// Lets everything that has been asked for happen, and no more than that: no element may be left over.
    mutating func finish() {
        for _ in 0..<10_000 where jobs > 0 || !running.isEmpty || !alarms.isEmpty {
            if jobs > 0 {
                startScheduled()
            } else if !running.isEmpty {
                endBatch()
            } else {
                fireAlarm()
            }
        }
        expect(!fates.contains(.waiting), "no element is lost")
        expect(fates.contains(.run), "something was run")
        for id in requests.keys { takeBack(queue.release(id), of: id) }
        expect(queue.placesInUse == 0 && queue.preparingCount == 0, "all places are given back")
    }
}
