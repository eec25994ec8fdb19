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

/// Agreeing on TLS, and failing to.
struct HandshakeTests {
    let identity: TestIdentity

    init() throws { identity = try TestIdentity() }

    private static let hello = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"

    @Test(arguments: [TLSClientOptions.Version.tls12, .tls13]) func speaks(version: TLSClientOptions.Version) throws {
        let test = try identity.server()
        defer { test.stop() }
        let client = try test.client(
            identity.options {
                $0.minimum = version
                $0.maximum = version
            })
        #expect(client.tlsVersion == (version == .tls12 ? "TLSv1.2" : "TLSv1.3"))
        #expect(
            client.tlsCipher == (version == .tls12 ? "ECDHE-ECDSA-AES128-GCM-SHA256" : "TLS_AES_128_GCM_SHA256"))
        for _ in 0..<3 {
            try client.send(Self.hello)
            #expect(try client.receive().text == "hello")
        }
        #expect(test.handshakes.wait() == .full)
    }

    @Test func refusesOlderVersions() throws {
        let test = try identity.server()
        defer { test.stop() }
        let error = #expect(throws: TLSClientError.self) {
            try test.client(
                TLSClientOptions {
                    $0.minimum = .tls11
                    $0.maximum = .tls11
                })
        }
        #expect(error?.reason.contains("protocol version") == true, "\(String(describing: error))")
        #expect(test.handshakes.wait() == .failed)
    }

    @Test func choosesHTTP11() throws {
        let test = try identity.server()
        defer { test.stop() }
        #expect(try test.client(identity.options { $0.protocols = ["h2", "http/1.1"] }).chosenProtocol == "http/1.1")
        #expect(try test.client(identity.options()).chosenProtocol == nil)
        let error = #expect(throws: TLSClientError.self) {
            try test.client(identity.options { $0.protocols = ["h2"] })
        }
        #expect(error?.reason.contains("no application protocol") == true, "\(String(describing: error))")
    }

    @Test(arguments: [TLSClientOptions.Version.tls12, .tls13]) func resumes(
        version: TLSClientOptions.Version
    ) throws {
        let credentials = TLSCredentials(try identity.context(requiringClients: true))
        let test = try TestServer(tls: credentials)
        defer { test.stop() }
        var options = identity.options {
            $0.maximum = version
            $0.identity = TestCertificate("client", issuer: identity.authority)
        }
        func connect() throws -> RawClient {
            let client = try test.client(options)
            try client.send(Self.hello)
            #expect(try client.receive().text == "hello")
            return client
        }
        let first = try connect()
        #expect(!first.isResumed && test.handshakes.wait() == .full)
        options.session = first.session
        let second = try connect()
        #expect(second.isResumed && test.handshakes.wait() == .resumed)
        // A new context, such as one that trusts others, knows nothing of the old one's tickets.
        options.session = second.session
        credentials.replace(with: try identity.context(requiringClients: true))
        let third = try connect()
        #expect(!third.isResumed && test.handshakes.wait() == .full)
    }

    @Test(arguments: [TLSClientOptions.Version.tls12, .tls13]) func asksClientsForTheirCertificate(
        version: TLSClientOptions.Version
    ) throws {
        let test = try identity.server(requiringClients: true)
        defer { test.stop() }
        func exchange(_ certificate: TestCertificate?) throws -> String {
            let client = try test.client(
                identity.options {
                    $0.maximum = version
                    $0.identity = certificate
                })
            try client.send(Self.hello)
            return try client.receive().text
        }
        #expect(try exchange(TestCertificate("known", issuer: identity.authority)) == "hello")
        #expect(test.handshakes.wait() == .full)
        let none = #expect(throws: TLSClientError.self) { try exchange(nil) }
        #expect(
            none?.reason.contains(version == .tls13 ? "certificate required" : "handshake failure") == true,
            "\(String(describing: none))")
        #expect(test.handshakes.wait() == .failed)
        let strange = #expect(throws: TLSClientError.self) {
            try exchange(TestCertificate("strange", issuer: TestCertificate("other authority")))
        }
        #expect(strange?.reason.contains("unknown ca") == true, "\(String(describing: strange))")
        #expect(throws: TLSClientError.self) {
            try exchange(TestCertificate("expired", issuer: identity.authority, validSeconds: -60))
        }
    }

    @Test func handshakesMayTakeTenSeconds() throws {
        let clock = ManualClock()
        let test = try identity.server(clock: clock)
        defer { test.stop() }
        let silent = try test.client()
        let partial = try test.client()
        try partial.sendRaw([0x16, 0x03, 0x01])
        let done = try test.client(identity.options())
        try done.send(Self.hello)
        #expect(try done.receive().status == 200)
        #expect(test.handshakes.wait() == .full)
        clock.advance(seconds: 9.9)
        test.server.expire()
        clock.advance(seconds: 0.2)
        test.server.expire()
        #expect(try silent.receivesEnd() && partial.receivesEnd())
        // Who sent nothing began nothing.
        #expect(test.handshakes.wait() == .abandoned)
        try done.send(Self.hello)
        #expect(try done.receive().status == 200)
    }

    @Test(arguments: ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS * HTTP/1.0\r\n\r\n", "P"])
    func answersPlainHTTPInPlainHTTP(request: String) throws {
        let test = try identity.server()
        defer { test.stop() }
        let client = try test.client()
        try client.send(request)
        let response = try client.receive()
        #expect(response.status == 400 && response["connection"] == "close")
        #expect(response.text.contains("use https"))
        // The rest of a long body is read and dropped, so that the answer arrives.
        try client.send([UInt8](repeating: 0x78, count: 1 << 20))
        client.finishSending()
        #expect(try client.receivesEnd())
        #expect(test.rejected.wait() == .plainText)
        #expect(test.handshakes.wait() == .plainText)
    }

    @Test func survivesGarbageAndResets() throws {
        let test = try identity.server()
        defer { test.stop() }
        let garbage: [[UInt8]] = [
            [0], [0x16, 0x03, 0x01, 0xFF, 0xFF] + [UInt8](repeating: 0, count: 70_000), [0x80, 0x2E, 1, 0, 2],
            [0x15, 0x03, 0x01, 0, 2, 2, 40], [0x17, 0x03, 0x03, 0x40, 0x01] + [UInt8](repeating: 7, count: 0x4001),
        ]
        for bytes in garbage {
            let client = try test.client()
            try? client.sendRaw(bytes)
            client.finishSending()
        }
        for bytes in garbage + [[0x16, 0x03, 0x01, 0x02]] {
            let client = try test.client()
            try? client.sendRaw(bytes)
            client.resetAtEnd()
        }
        for _ in 0..<garbage.count * 2 + 1 { #expect(test.closed.wait() != nil) }
        let client = try test.client(identity.options())
        try client.send(Self.hello)
        #expect(try client.receive().text == "hello")
    }

    @Test func newConnectionsHaveTheNewCertificateAndOpenOnesGoOn() throws {
        let credentials = TLSCredentials(try identity.context())
        let test = try TestServer(tls: credentials)
        defer { test.stop() }
        let open = try test.client(identity.options())
        try open.send("GET /hold/1 HTTP/1.1\r\nHost: a\r\n\r\n")
        let held = try #require(test.held.wait())
        let renewed = try TestIdentity()
        credentials.replace(with: try renewed.context())
        #expect(throws: TLSClientError.self) { try test.client(identity.options()) }
        let later = try test.client(renewed.options())
        try later.send(Self.hello)
        #expect(try later.receive().status == 200)
        held.responder.respond(Response(contentType: "t/p", body: Array("held".utf8)))
        #expect(try open.receive().text == "held")
        try open.send(Self.hello)
        #expect(try open.receive().text == "hello")
    }
}

/// Requests and answers over TLS, however the bytes come.
struct SecureStreamTests {
    let identity: TestIdentity

    init() throws { identity = try TestIdentity() }

    @Test(arguments: [TLSClientOptions.Version.tls12, .tls13]) func carriesLargeBodiesBothWays(
        version: TLSClientOptions.Version
    ) throws {
        let test = try identity.server { $0.parser.maximumBodyBytes = 32 << 20 }
        defer { test.stop() }
        let client = try test.client(identity.options { $0.maximum = version })
        for size in [0, 1, 16_384, 16_385, 65_536, 1 << 20, 12 << 20] {
            let body = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 16) }
            try client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: \(size)\r\n\r\n")
            try client.send(body)
            #expect(try client.receive().body == body)
        }
    }

    @Test func readsRecordsThatComeByteByByte() throws {
        let test = try identity.server()
        defer { test.stop() }
        let client = try test.client()
        try client.startTLS(identity.options(), pieceBytes: 1)
        let request = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
        try client.send(Array(request.utf8), pieceBytes: 1)
        #expect(try client.receive().text == "hello")
        // And a record a byte.
        for byte in request.utf8 { try client.send([byte]) }
        #expect(try client.receive().text == "hello")
    }

    @Test func answersPipelinedRequestsThatCameInOneRecord() throws {
        let test = try identity.server { $0.maximumBacklogBytes = 100 }
        defer { test.stop() }
        let client = try test.client(identity.options())
        let names = (0..<500).map { "m\($0)" }
        try client.send(names.map { "GET /models/\($0) HTTP/1.1\r\nHost: a\r\n\r\n" }.joined())
        for name in names { #expect(try client.receive().text == "\(name) -") }
    }

    /// What TLS has read ahead is not forgotten while a request is answered.
    @Test func readsOnAfterAnAnswer() throws {
        let test = try identity.server { $0.maximumBacklogBytes = 10 }
        defer { test.stop() }
        let client = try test.client(identity.options())
        let hello = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"
        try client.send("GET /hold/1 HTTP/1.1\r\nHost: a\r\n\r\n")
        let held = try #require(test.held.wait())
        // Records enough that the kernel is empty while TLS is not.
        for _ in 0..<2000 { try client.send(hello) }
        held.responder.respond(Response(contentType: "t/p", body: Array("held".utf8)))
        #expect(try client.receive().text == "held")
        for _ in 0..<2000 { #expect(try client.receive().text == "hello") }
    }

    @Test func survivesShortReadsAndWrites() throws {
        let flips = Lock(0)
        var calls = SystemCalls.kernel
        calls.receive = { descriptor, buffer in
            if flips.withLock({ count in
                count += 1
                return count % 3 == 0
            }) {
                return -Int(EINTR)
            }
            return SystemCalls.kernel.receive(
                descriptor, UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(7, buffer.count)]))
        }
        calls.send = { descriptor, bytes in
            let count = flips.withLock { count in
                count += 1
                return count
            }
            if count % 5 == 0 { return -Int(EAGAIN) }
            return SystemCalls.kernel.send(
                descriptor, UnsafeRawBufferPointer(rebasing: bytes[..<min(1000, bytes.count)]))
        }
        let test = try identity.server(calls: calls)
        defer { test.stop() }
        let client = try test.client(identity.options())
        let body = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        for _ in 0..<3 {
            try client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
            try client.send(body)
            #expect(try client.receive().body == body)
        }
    }

    @Test func saysFarewellWhenItCloses() throws {
        let clock = ManualClock()
        let test = try identity.server(clock: clock)
        defer { test.stop() }
        let asked = try test.client(identity.options())
        try asked.send("GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        #expect(try asked.receive().text == "hello")
        #expect(try asked.receivesEnd() && asked.receivedCloseNotify)
        let refused = try test.client(identity.options())
        try refused.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n\r\n")
        try refused.send([UInt8](repeating: 0, count: 4 << 20))
        #expect(try refused.receive().status == 413)
        #expect(try refused.receivesEnd() && refused.receivedCloseNotify)
        let idle = try test.client(identity.options())
        try idle.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try idle.receive().text == "hello")
        clock.advance(seconds: 80)
        test.server.expire()
        #expect(try idle.receivesEnd() && idle.receivedCloseNotify)
    }

    /// A client's end is its end, whether TLS says so or only TCP.
    @Test(arguments: [true, false]) func aClientThatEndsIsGone(saysFarewell: Bool) throws {
        let test = try identity.server()
        defer { test.stop() }
        let busy = try test.client(identity.options())
        try busy.send("GET /hold/gone HTTP/1.1\r\nHost: a\r\n\r\n")
        let held = try #require(test.held.wait())
        if saysFarewell { try busy.sendCloseNotify() } else { busy.finishSending() }
        #expect(test.cancelled.wait() == "/hold/gone")
        held.responder.respond(Response(contentType: "t/p", body: Array("late".utf8)))
        let idle = try test.client(identity.options())
        try idle.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try idle.receive().text == "hello")
        if saysFarewell { try idle.sendCloseNotify() } else { idle.finishSending() }
        #expect(try idle.receivesEnd())
        let partial = try test.client(identity.options())
        try partial.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab")
        if saysFarewell { try partial.sendCloseNotify() } else { partial.finishSending() }
        #expect(try partial.receivesEndOfCutRequest())
    }

    @Test func renegotiatesNothing() throws {
        let test = try identity.server()
        defer { test.stop() }
        let client = try test.client(identity.options { $0.maximum = .tls12 })
        let error = #expect(throws: TLSClientError.self) { try client.renegotiate() }
        #expect(error?.reason.contains("no renegotiation") == true, "\(String(describing: error))")
    }

    @Test func changesKeysWhenAsked() throws {
        let test = try identity.server()
        defer { test.stop() }
        let client = try test.client(identity.options())
        for _ in 0..<40 {
            try client.updateKeys()
            try client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try client.receive().text == "hello")
        }
    }

    @Test func anAlteredRecordEndsTheConnection() throws {
        let test = try identity.server()
        defer { test.stop() }
        let client = try test.client(identity.options())
        try client.sendRaw([0x17, 0x03, 0x03, 0, 40] + [UInt8](repeating: 9, count: 40))
        #expect(throws: TLSClientError.self) { try client.receive() }
        #expect(test.closed.wait() != nil)
    }

    @Test func drainsWhatHasBegun() throws {
        let test = try identity.server()
        let busy = try test.client(identity.options())
        let idle = try test.client(identity.options())
        try idle.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try idle.receive().text == "hello")
        try busy.send("GET /hold/1 HTTP/1.1\r\nHost: a\r\n\r\n")
        let held = try #require(test.held.wait())
        test.server.beginDrain()
        let late = try test.client(identity.options())
        try late.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
        let answer = try late.receive()
        #expect(answer.text == "hello" && answer["connection"] == "close")
        let done = Signal<DrainReport>()
        test.server.finishDrain { done.send($0) }
        held.responder.respond(Response(contentType: "t/p", body: Array("held".utf8)))
        #expect(try busy.receive().text == "held")
        #expect(try idle.receivesEnd() && idle.receivedCloseNotify)
        let report = try #require(done.wait())
        #expect(report.inFlight == 1 && report.served >= 2 && report.refused == 0)
    }
}

extension RawClient {
    /// Whether the server has told of the request's being incomplete, and then closed.
    fileprivate func receivesEndOfCutRequest() throws -> Bool {
        try receive().status == 400 && receivesEnd()
    }
}
