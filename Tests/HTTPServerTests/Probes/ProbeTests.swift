import HTTP
import TestSupport
import Testing

/// Every probe against a server on a socket of its own, and against the parser cut at every place.
struct ProbeTests {
    // One server for all: what a probe leaves behind would show in the next.
    private static let server = Result { try ProbeServer() }
    private static let bytewiseServer = Result { try ProbeServer(readBytes: 1) }

    @Test(arguments: Probe.all) func cutsWhatArrivesAtOnce(_ probe: Probe) throws {
        #expect(try answers(to: probe, probe.answers, from: Self.server.get()) == probe.answers)
    }

    @Test(arguments: Probe.all) func cutsWhatArrivesByteByByte(_ probe: Probe) throws {
        let expected = probe.bytewiseAnswers ?? probe.answers
        #expect(try answers(to: probe, expected, from: Self.bytewiseServer.get()) == expected)
    }

    private func answers(to probe: Probe, _ expected: [String], from server: ProbeServer) throws -> [String] {
        let client = try RawClient(port: server.port)
        try client.send(probe.bytes + Probe.after)
        client.finishSending()
        return try client.receiveAnswers(expected: expected).map(\.text)
    }

    /// The requests found, and the error, are the same wherever the network cuts the bytes in two.
    @Test(arguments: Probe.all) func cutsAlikeHoweverItArrives(_ probe: Probe) {
        let bytes = probe.bytes + Probe.after
        let whole = Self.parse([bytes])
        for cut in stride(from: 1, to: bytes.count, by: max(1, bytes.count / 500)) {
            #expect(Self.parse([Array(bytes[..<cut]), Array(bytes[cut...])]) == whole, "cut at \(cut)")
        }
    }

    @Test func countsAtLeastEightyProbesWithNamesOfTheirOwn() {
        #expect(Probe.all.count >= 80)
        #expect(Set(Probe.all.map(\.name)).count == Probe.all.count)
    }

    private static func parse(_ pieces: [[UInt8]]) -> [String] {
        var configuration = RequestParser.Configuration()
        configuration.maximumBodyBytes = 1 << 20
        var parser = RequestParser(configuration: configuration)
        var found: [String] = []
        for piece in pieces {
            var offset = 0
            while offset < piece.count {
                switch piece.withUnsafeBufferPointer({ parser.read($0, from: &offset) }) {
                case .needsMore, .head: continue
                case .complete(let request):
                    found.append(
                        ProbeServer.describe(request.head.method, request.head.target, request.body)
                            + (request.head.keepsAlive ? "" : ", last"))
                case .invalid(let error): return found + ["\(error)"]
                }
            }
        }
        return found + (parser.hasStarted ? ["…"] : [])
    }
}
