import HTTP

/// The server's address, sizes and times, each with its default.
public struct ServerConfiguration: Sendable, Equatable {
    /// Name or address; `::` takes IPv4 clients as well.
    public var host = "0.0.0.0"
    /// 0 picks a free one.
    public var port = 8080
    /// Connections that the kernel holds until they are accepted.
    public var backlog = 1024
    /// Serial queues that connections are spread over. Two carry far more than an engine can answer.
    public var eventLoopCount = 2
    /// Open connections; at the limit the next ones wait in the backlog.
    public var maximumConnections = 4096
    /// What the parser refuses for its size.
    public var parser = RequestParser.Configuration()
    public var timeouts = Timeouts()
    /// Labels of the routes that a drain's report leaves out: health checks and scrapes, which are nobody's work.
    public var uncountedRoutes: Set<String> = []
    /// Memory for bodies, pipelined requests and answers of all connections together; the request that goes beyond is
    /// refused, and a connection that pipelines is closed.
    public var maximumHeldBytes = 256 << 20
    /// Bytes of a connection held while a request of it is being answered; then reading stops.
    public var maximumBacklogBytes = 64 << 10
    /// Bytes of answers held before the next pipelined request is begun.
    public var maximumOutputBytes = 64 << 10
    /// A refused request with a body of at most so many bytes keeps its connection, and the body is read and dropped.
    public var maximumDiscardedBytes = 1 << 20
    /// Bytes read and dropped after a refusal, so that the client comes to read it.
    public var maximumLingerBytes = 64 << 20

    /// Units: nanoseconds.
    public struct Timeouts: Sendable, Equatable {
        /// From a request's first byte to the end of its header section.
        public var headNanoseconds: Int64 = 10_000_000_000
        /// Between two reads of a body.
        public var bodyStallNanoseconds: Int64 = 10_000_000_000
        /// From the header section's end to the body's.
        public var bodyNanoseconds: Int64 = 120_000_000_000
        /// From an answer to the next request's first byte, and from accept to the first's.
        public var idleNanoseconds: Int64 = 75_000_000_000
        /// Between two writes that the client's window lets through.
        public var writeStallNanoseconds: Int64 = 30_000_000_000
        /// For the client to read a refusal.
        public var lingerNanoseconds: Int64 = 5_000_000_000
        /// How often deadlines are looked at.
        public var resolutionNanoseconds: Int64 = 250_000_000

        public init() {}
    }

    public init() {}
}
