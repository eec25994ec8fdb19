import CAllocations
import Parallelism
import TestSupport
import Testing

@testable import Classification

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

struct AllocationTests {
    /// What a request may allocate, the decoder's and the engine's allocations included. To be lowered with them.
    static let mostPerRequest = 165

    /// In a process of its own: tests run side by side, and the count is of all threads. It tells the number by its
    /// standard error.
    @Test(.enabled(if: callocations_count() >= 0, "the allocator is another's"))
    func aRequestAllocatesLittle() async throws {
        let result = try await #require(processExitsWith: .success, observing: [\.standardErrorContent]) {
            // With one worker nobody joins a region now and then: the count is the same every time.
            let test = try TestService { $0.threads = 1 }
            let client = try SteadyClient(port: test.port, body: try Upload.jpeg("420"))
            // Sessions, decoders, caches and buffers come into being.
            for _ in 0..<50 { try client.exchange() }
            var fewest = Int.max
            for _ in 0..<10 {
                let before = callocations_count()
                for _ in 0..<20 { try client.exchange() }
                fewest = min(fewest, (callocations_count() - before) / 20)
            }
            _ = SystemFile.write("\(fewest)", to: 2)
            exit(0)
        }
        let count = try #require(Int(String(decoding: result.standardErrorContent, as: UTF8.self)))
        #expect(count > 0 && count <= Self.mostPerRequest, "\(count) allocations a request")
    }
}

/// A client that allocates nothing for an exchange.
private final class SteadyClient {
    private let client: RawClient
    private let request: [UInt8]
    private var answer = [UInt8](repeating: 0, count: 4096)

    init(port: Int, body: [UInt8]) throws {
        client = try RawClient(port: port)
        request =
            Array("POST /v1/classify HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.count)\r\n\r\n".utf8) + body
    }

    /// Sends the request, and reads until the end of the answer's JSON.
    func exchange() throws {
        try client.send(request)
        var count = 0
        while count < 4 || !answer[count - 3..<count].elementsEqual([0x7D, 0x5D, 0x7D]) {
            count += try client.receive(into: &answer, from: count)
        }
        // The whole status line, so that an error is none the less seen.
        guard answer[9..<12].elementsEqual([0x32, 0x30, 0x30]) else {
            throw RawClientError.malformed(String(decoding: answer[..<count], as: UTF8.self))
        }
    }
}
