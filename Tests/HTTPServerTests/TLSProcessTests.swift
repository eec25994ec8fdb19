import CAllocations
import Parallelism
import TestSupport
import Testing

@testable import HTTPServer

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// What concerns the whole process, and is tested in one of its own.
struct TLSProcessTests {
    /// OpenSSL's own sockets would end the process.
    @Test func aClientThatIsGoneEndsNoProcess() async {
        await #expect(processExitsWith: .success) {
            signal(SIGPIPE, SIG_DFL)
            let identity = try TestIdentity()
            let test = try identity.server()
            for _ in 0..<20 {
                let client = try test.client(identity.options())
                try client.send("GET /hold/x HTTP/1.1\r\nHost: a\r\n\r\n")
                guard let held = test.held.wait() else { exit(2) }
                client.resetAtEnd()
                // Ends the client while its answer is on its way, and the answer outlasts the socket's buffer.
                withExtendedLifetime(client) {}
                held.responder.respond(
                    Response(contentType: "x/y", body: [UInt8](repeating: 0x61, count: 8 << 20)))
            }
            for _ in 0..<20 { guard test.closed.wait() != nil else { exit(3) } }
            test.stop()
            exit(0)
        }
    }

    @Test(.enabled(if: callocations_count() >= 0, "the allocator is another's"))
    func handshakesLeaveNothingBehind() async throws {
        let result = try await #require(processExitsWith: .success, observing: [\.standardErrorContent]) {
            let identity = try TestIdentity()
            let test = try identity.server()
            func connect(_ count: Int) throws {
                for index in 0..<count {
                    let client = try test.client(
                        identity.options { $0.maximum = index % 2 == 0 ? .tls13 : .tls12 })
                    if index % 3 == 0 {
                        try client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
                        _ = try client.receive()
                    }
                }
                for _ in 0..<count { guard test.closed.wait() != nil else { exit(2) } }
            }
            try connect(100)
            let before = callocations_bytes()
            try connect(1000)
            let growth = callocations_bytes() - before
            _ = SystemFile.write("\(growth)", to: 2)
            test.stop()
            exit(0)
        }
        let growth = try #require(Int(String(decoding: result.standardErrorContent, as: UTF8.self)))
        // The signals of the test keep some; a connection holds tens of kilobytes.
        #expect(growth < 500_000, "\(growth) bytes after 1000 handshakes")
    }
}
