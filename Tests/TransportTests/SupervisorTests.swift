import TestSupport
import Testing

@testable import Transport

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

struct SupervisorTests {
    @Test func eachStateIsADatagramOfTheProtocol() throws {
        let listener = try NotifyListener()
        let supervisor = try #require(try Supervisor.named(in: ["NOTIFY_SOCKET": listener.path]))
        for state: Supervisor.State in [.ready, .reloading(sinceMicroseconds: 123), .alive, .stopping] {
            try supervisor.tell(state)
        }
        let texts = (0..<4).map { _ in listener.receive() }
        #expect(texts == ["READY=1", "RELOADING=1\nMONOTONIC_USEC=123", "WATCHDOG=1", "STOPPING=1"])
    }

    @Test func anAbstractNameIsFound() throws {
        let name = "swiftlet-test-\(getpid())-\(UInt64.random(in: 0 ... .max))"
        let listener = try NotifyListener(abstractName: name)
        let supervisor = try #require(try Supervisor.named(in: ["NOTIFY_SOCKET": "@\(name)"]))
        try supervisor.tell(.ready)
        #expect(listener.receive() == "READY=1")
    }

    @Test(arguments: ["relative", "@", "/", "vsock:2:1", "/" + String(repeating: "a", count: 200)])
    func anAddressOfAnotherKindIsAnError(name: String) {
        #expect(throws: SocketError(operation: .address, code: EINVAL)) {
            try Supervisor.named(in: ["NOTIFY_SOCKET": name])
        }
    }

    @Test func withoutTheVariableThereIsNone() throws {
        #expect(try Supervisor.named(in: [:]) == nil)
        #expect(try Supervisor.named(in: ["NOTIFY_SOCKET": ""]) == nil)
    }

    @Test func whoIsNotThereIsAnError() throws {
        let supervisor = try #require(try Supervisor.named(in: ["NOTIFY_SOCKET": "/nowhere/at/all"]))
        #expect(throws: SocketError(operation: .send, code: ENOENT)) { try supervisor.tell(.ready) }
    }

    @Test func aSupervisorThatDoesNotReadIsWaitedForByNobody() throws {
        let listener = try NotifyListener()
        let supervisor = try #require(try Supervisor.named(in: ["NOTIFY_SOCKET": listener.path]))
        #expect(throws: SocketError(operation: .send, code: EAGAIN)) {
            for _ in 0..<1_000_000 { try supervisor.tell(.alive) }
        }
    }

    @Test(
        arguments: [
            (["WATCHDOG_USEC": "30000000"], 30_000_000), (["WATCHDOG_USEC": "0"], nil),
            (["WATCHDOG_USEC": "soon"], nil),
            ([:], nil), (["WATCHDOG_USEC": "5", "WATCHDOG_PID": "1"], nil),
            (["WATCHDOG_USEC": "5", "WATCHDOG_PID": "\(getpid())"], 5),
        ] as [([String: String], Int64?)])
    func theWatchdogIsForThisProcessAlone(environment: [String: String], expected: Int64?) throws {
        let named = environment.merging(["NOTIFY_SOCKET": "/run/notify"]) { first, _ in first }
        #expect(try Supervisor.named(in: named)?.watchdogMicroseconds == expected)
    }
}
