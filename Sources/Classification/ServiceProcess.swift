import Checkpoints
import Dispatch
import HTTPServer
import Logging
import Parallelism
import Transport

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A service run as a process: signals begin and hasten its drain, and the process ends when it is over.
///
/// SIGTERM and SIGINT begin the drain; a second one skips the drain delay. SIGHUP has models, certificates and keys read
/// again, and log files opened anew; a closed terminal, which sends it too, ends no service.
public final class ServiceProcess: Sendable {
    private enum Phase {
        case serving, delaying, finishing
    }

    private let service: ClassificationService
    private let logger: Logger
    private let say: LineWriter
    private let supervisor: Supervisor?
    private let phase = Lock(Phase.serving)
    private let queue = DispatchQueue(label: "swiftlet.process")
    private let signalSources = Lock<[any DispatchSourceSignal]>([])

    /// - Parameter say: prints lines for whoever started the process.
    /// - Parameter supervisor: told what systemd's protocol has for it.
    public init(service: ClassificationService, logger: Logger, say: LineWriter, supervisor: Supervisor? = nil) {
        self.service = service
        self.logger = logger
        self.say = say
        self.supervisor = supervisor
    }

    /// Starts the service and serves until a signal; does not return.
    /// - Throws: what `ClassificationService.start` throws.
    public func run(repository: ModelRepository) throws -> Never {
        handleSignals()
        say.countLosses(with: service.context.metrics.lostLines)
        // Bodies of large photos; what small ones take is kept for the next.
        SystemAllocator.returnBlocks(ofAtLeast: 1 << 20)
        raiseDescriptorLimit()
        let address = try service.start(repository: repository)
        logger.info(
            "ready", metadata: ["models": "\(service.modelNames)", "default_model": "\(service.defaultModel ?? "")"])
        if let url = service.adminURL { say("administration on \(url)") }
        say("listening on \(service.url ?? "\(address)")")
        startTelling()
        // Not dispatchMain(), which ends this thread: glibc has libgcc_s loaded for that, which not every image has.
        while true { pause() }
    }

    /// Makes room for all the connections that are allowed, which the usual soft limit of 1024 does not.
    private func raiseDescriptorLimit() {
        let wanted = service.settings.maxConnections + ClassificationService.maximumAdminConnections + 64
        do throws(SocketError) {
            let limit = try DescriptorLimit.raise(to: wanted)
            guard limit < wanted else { return }
            logger.warning(
                "fewer descriptors than maxConnections needs", metadata: ["descriptors": .stringConvertible(limit)])
        } catch { logger.warning("cannot raise the limit of descriptors", metadata: ["error": "\(error)"]) }
    }

    func handleSignals() {
        // Whoever reads the log may go: that is an error of the write, and no end of the service.
        signal(SIGPIPE, SIG_IGN)
        handle(SIGHUP) { $0.reload() }
        for number in [SIGTERM, SIGINT] { handle(number) { $0.receivedSignal() } }
    }

    private func handle(_ number: Int32, _ handler: @escaping @Sendable (ServiceProcess) -> Void) {
        // The default action would end the process before the source hears of the signal.
        signal(number, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
        source.setEventHandler { [self] in handler(self) }
        // Until the source is registered, a signal would be lost.
        let registered = DispatchSemaphore(value: 0)
        source.setRegistrationHandler { registered.signal() }
        source.resume()
        registered.wait()
        signalSources.withLock { $0.append(source) }
    }

    /// Takes up what has changed in files.
    private func reload() {
        logger.info("reloading")
        if phase.withLock({ $0 == .serving }) {
            tell(.reloading(sinceMicroseconds: MonotonicClock().now().nanoseconds / 1000))
        }
        service.reopenLogs()
        service.reloadCredentials()
        service.models.request(.reload) { [self] failure in
            switch failure {
            case nil: logger.info("models reloaded", metadata: ["models": "\(service.modelNames)"])
            case .draining: logger.info("models not reloaded: draining")
            // Each fault has its own line of the log by now.
            case .loadFailed:
                logger.info(
                    "models not reloaded, or not all; what was loaded stays",
                    metadata: ["models": "\(service.modelNames)"])
            case let failure?: logger.error("models not reloaded", metadata: ["error": "\(failure.detail)"])
            }
            queue.async { [self] in tellReady() }
        }
    }

    private func receivedSignal() {
        switch phase.withLock({ $0 }) {
        case .serving:
            phase.withLock { $0 = .delaying }
            let seconds = service.settings.drainDelaySeconds
            logger.info("draining", metadata: ["delay_seconds": .stringConvertible(seconds)])
            tell(.stopping)
            service.beginDrain()
            queue.asyncAfter(deadline: .now() + .seconds(seconds)) { [self] in finish() }
        case .delaying: finish()
        case .finishing: break
        }
    }

    private func finish() {
        let isFirst = phase.withLock { phase in
            defer { phase = .finishing }
            return phase != .finishing
        }
        guard isFirst else { return }
        let limit = service.settings.drainTimeoutSeconds
        queue.asyncAfter(deadline: .now() + .seconds(limit)) { [self] in
            let lost = service.loseRequests().map { "\($0)" } ?? "all"
            say("drain not finished after \(limit) s: \(lost) requests in flight are lost")
            say.exit(1)
        }
        service.finishDrain { [self] report in
            say("drained: \(report.inFlight) in flight, \(report.served) served, \(report.refused) refused")
            say.exit(0)
        }
    }
}

// MARK: - Supervision

extension ServiceProcess {
    func startTelling() {
        queue.async { [self] in
            tellReady()
            scheduleSignOfLife()
        }
    }

    private func tellReady() {
        guard phase.withLock({ $0 == .serving }) else { return }
        tell(.ready)
    }

    private func tell(_ state: Supervisor.State) {
        do throws(SocketError) { try supervisor?.tell(state) } catch {
            logger.warning("cannot tell the supervisor", metadata: ["state": "\(state)", "error": "\(error)"])
        }
    }

    /// Says twice in the time allowed that signals are heard and a worker comes to its next job.
    private func scheduleSignOfLife() {
        guard let interval = supervisor?.watchdogMicroseconds else { return }
        queue.asyncAfter(deadline: .now() + .microseconds(Int(interval / 2))) { [self] in
            _ = service.context.pool.submit { [self] in tell(.alive) }
            scheduleSignOfLife()
        }
    }
}
