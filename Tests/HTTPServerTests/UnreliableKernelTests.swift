import Parallelism
import TestSupport
import Testing
import Transport

@testable import HTTPServer

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

struct UnreliableKernelTests {
    /// Counts calls, over all threads.
    private final class Counter: Sendable {
        private let count = Lock(0)
        func next() -> Int {
            count.withLock { count in
                count += 1
                return count
            }
        }
    }

    @Test func servesOnWhenDescriptorsHaveRunOut() throws {
        let accepts = Counter()
        var calls = SystemCalls.kernel
        calls.accept = { descriptor, peer in
            let failures = [-Int(EMFILE), -Int(ENFILE), -Int(ECONNABORTED)]
            let call = accepts.next()
            return call <= failures.count ? failures[call - 1] : SystemCalls.kernel.accept(descriptor, &peer)
        }
        let test = try TestServer(calls: calls)
        defer { test.stop() }
        let client = try test.client()
        try client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try client.receive().status == 200)
        #expect(accepts.next() > 4)
    }

    /// As after a burst of connections that take all descriptors again and again: each failure costs a short pause, and
    /// the client, who waits ten seconds at the most, is served nevertheless.
    @Test func servesSoonHoweverOftenDescriptorsHaveRunOut() throws {
        let accepts = Counter()
        var calls = SystemCalls.kernel
        calls.accept = { descriptor, peer in
            accepts.next() <= 100 ? -Int(EMFILE) : SystemCalls.kernel.accept(descriptor, &peer)
        }
        let test = try TestServer(calls: calls)
        defer { test.stop() }
        let client = try test.client()
        try client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try client.receive().status == 200)
        #expect(accepts.next() > 101)
    }

    @Test func servesOverAKernelThatMovesAFewBytesAtATime() throws {
        let turns = Counter()
        var calls = SystemCalls.kernel
        calls.receive = { descriptor, buffer in
            if turns.next() % 5 == 0 { return -Int(EINTR) }
            return SystemCalls.kernel.receive(descriptor, UnsafeMutableRawBufferPointer(rebasing: buffer[..<37]))
        }
        calls.send = { descriptor, bytes in
            switch turns.next() % 5 {
            case 0: -Int(EINTR)
            case 1: -Int(EAGAIN)
            default: SystemCalls.kernel.send(descriptor, UnsafeRawBufferPointer(rebasing: bytes.prefix(7)))
            }
        }
        calls.sendPair = { descriptor, first, second in
            let piece = first.isEmpty ? second.prefix(900) : first.prefix(5)
            return SystemCalls.kernel.send(descriptor, UnsafeRawBufferPointer(rebasing: piece))
        }
        let test = try TestServer(calls: calls)
        defer { test.stop() }
        let client = try test.client()
        let body = (0..<40_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        for _ in 0..<3 {
            try client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 40000\r\n\r\n")
            try client.send(body)
        }
        for _ in 0..<3 { #expect(try client.receive().body == body) }
    }

    @Test func aFailedReadEndsTheConnectionAndCancelsItsRequest() throws {
        let hasRead = Lock(false)
        var calls = SystemCalls.kernel
        calls.receive = { descriptor, buffer in
            hasRead.withLock { hasRead in
                if hasRead { return -Int(ECONNRESET) }
                let count = SystemCalls.kernel.receive(descriptor, buffer)
                hasRead = count > 0
                return count
            }
        }
        let test = try TestServer(calls: calls)
        defer { test.stop() }
        let client = try test.client()
        try client.send("GET /hold/x HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(test.cancelled.wait() == "/hold/x")
        #expect(try client.receivesEnd())
        #expect(test.finished.wait()?.status == 499)
        let held = try #require(test.held.wait())
        #expect(held.responder.isCancelled)
        held.responder.respond(Response())
    }
}
