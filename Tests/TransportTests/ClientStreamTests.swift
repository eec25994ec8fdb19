import Parallelism
import Testing

@testable import Transport

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

struct ClientStreamTests {
    /// A peer that always has a little more does not put the deadline off.
    @Test func theDeadlineHoldsWhereTheNextBytesAreThereAlready() throws {
        let clock = MonotonicClock()
        let later = clock.now().advanced(byNanoseconds: 10_000_000_000)
        let listener = try Socket.listening(host: "127.0.0.1", port: 0, backlog: 1)
        let stream = try ClientStream(host: "127.0.0.1", port: listener.localAddress().port, tls: nil, by: later)
        guard listener.wait(until: .readable, by: later), let server = try listener.accept()?.takeSocket() else {
            Issue.record("nobody has come")
            return
        }
        let bytes: [UInt8] = [1, 2, 3]
        guard case .bytes(3) = bytes.withUnsafeBytes({ server.send($0) }) else {
            Issue.record("three bytes were not sent")
            return
        }
        do throws(StreamFailure) {
            let received = try stream.receive(by: clock.now())
            Issue.record("\(String(describing: received)) came after the deadline")
        } catch { #expect(error == .socket(SocketError(operation: .receive, code: ETIMEDOUT))) }
        // They are still there.
        let received = try stream.receive(by: later)
        #expect(received == bytes)
    }
}
