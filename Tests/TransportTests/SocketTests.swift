import Parallelism
import TestSupport
import Testing

@testable import Transport

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A kernel that answers from a script, and keeps what it was asked.
private final class ScriptedKernel: Sendable {
    private let state: Lock<(results: [Int], requests: [Int])>

    init(_ results: [Int]) { state = Lock((results.reversed(), [])) }

    private func next(_ request: Int) -> Int {
        state.withLock { state in
            state.requests.append(request)
            return state.results.popLast() ?? -Int(EIO)
        }
    }

    var requests: [Int] { state.withLock { $0.requests } }

    var calls: SystemCalls {
        SystemCalls(
            receive: { _, buffer in self.next(buffer.count) }, discard: { _, count in self.next(count) },
            send: { _, bytes in self.next(bytes.count) },
            sendPair: { _, first, second in self.next(first.count + second.count) },
            accept: { _, _ in self.next(0) })
    }

    func socket() -> Socket { Socket(owning: open("/dev/null", O_RDONLY), calls: calls) }
}

struct SocketTests {
    @Test func receivesWhatTheKernelGives() {
        let kernel = ScriptedKernel([5, -Int(EINTR), -Int(EINTR), 3, 0, -Int(EAGAIN), -Int(ECONNRESET)])
        let socket = kernel.socket()
        var bytes = [UInt8](repeating: 0, count: 8)
        let results = (0..<5).map { _ in bytes.withUnsafeMutableBytes { socket.receive(into: $0) } }
        #expect(
            results == [
                .bytes(5), .bytes(3), .endOfStream, .wouldBlock,
                .failed(SocketError(operation: .receive, code: ECONNRESET)),
            ])
        #expect(kernel.requests == [8, 8, 8, 8, 8, 8, 8])
    }

    @Test func dropsWhatTheKernelGives() {
        let kernel = ScriptedKernel([-Int(EINTR), 3, 0, -Int(EAGAIN), -Int(EBADF)])
        let socket = kernel.socket()
        let results = (0..<4).map { _ in socket.discard(7) }
        #expect(
            results == [
                .bytes(3), .endOfStream, .wouldBlock, .failed(SocketError(operation: .receive, code: EBADF)),
            ])
        #expect(kernel.requests == [7, 7, 7, 7, 7])
    }

    @Test func sendsAgainAfterAnInterruptionAndReportsShortWrites() {
        let kernel = ScriptedKernel([-Int(EINTR), 2, -Int(EAGAIN), -Int(EPIPE), -Int(EINTR), 7])
        let socket = kernel.socket()
        let bytes: [UInt8] = [1, 2, 3, 4]
        let results = (0..<3).map { _ in bytes.withUnsafeBytes { socket.send($0) } }
        #expect(results == [.bytes(2), .wouldBlock, .failed(SocketError(operation: .send, code: EPIPE))])
        let pair = bytes.withUnsafeBytes { first in bytes.withUnsafeBytes { socket.send(first, then: $0) } }
        #expect(pair == .bytes(7))
        #expect(kernel.requests == [4, 4, 4, 4, 8, 8])
    }

    @Test func acceptPassesOverConnectionsThatWereGivenUp() throws {
        let socket = ScriptedKernel([-Int(EINTR), -Int(ECONNABORTED), -Int(EPROTO), -Int(EAGAIN)]).socket()
        let accepted = try socket.accept()
        let isNone = accepted == nil
        #expect(isNone)
    }

    @Test(arguments: [EMFILE, ENFILE, ENOBUFS, ENOMEM]) func acceptTellsExhaustion(code: Int32) {
        let socket = ScriptedKernel([-Int(code)]).socket()
        do {
            _ = try socket.accept()
            Issue.record("accepted")
        } catch {
            #expect(error == SocketError(operation: .accept, code: code))
            #expect(error.isExhaustion)
        }
    }

    @Test func listensOnAFreePortAndCarriesBytesBothWays() throws {
        let listener = try Socket.listening(host: "127.0.0.1", port: 0, backlog: 4)
        let address = try listener.localAddress()
        #expect(address.port > 0)
        #expect(address.isLoopback)
        #expect(address.description == "127.0.0.1:\(address.port)")
        let client = try RawClient(port: address.port)
        // A blocking connect has returned, so the connection waits.
        guard let accepted = try listener.accept() else {
            Issue.record("nothing waits")
            return
        }
        #expect(accepted.peer?.isLoopback == true)
        let socket = accepted.takeSocket()
        #expect(fcntl(socket.descriptor, F_GETFL) & O_NONBLOCK != 0)
        #expect(fcntl(socket.descriptor, F_GETFD) & FD_CLOEXEC != 0)
        let head = Array("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n".utf8)
        let sent = head.withUnsafeBytes { first in "hi".utf8.map { $0 }.withUnsafeBytes { socket.send(first, then: $0) }
        }
        #expect(sent == .bytes(head.count + 2))
        try socket.shutdownSending()
        #expect(try client.receive().text == "hi")
        #expect(try client.receivesEnd())
    }

    @Test func refusesAnAddressInUse() throws {
        let first = try Socket.listening(host: "127.0.0.1", port: 0, backlog: 1)
        let port = try first.localAddress().port
        #expect(throws: SocketError(operation: .bind, code: EADDRINUSE)) {
            _ = try Socket.listening(host: "127.0.0.1", port: port, backlog: 1)
        }
        #expect(throws: SocketError(operation: .resolve, code: EAI_NONAME)) {
            _ = try Socket.listening(host: "not an address", port: 0, backlog: 1)
        }
    }
}
